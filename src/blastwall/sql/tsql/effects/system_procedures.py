"""SQL Server's own procedures, by what they do.

https://learn.microsoft.com/sql/relational-databases/system-stored-procedures. A name that starts with sp_ or xp_ and
stands in no list is `unclassified`; every xp_ runs code of a library on the server.
"""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.model.effects import Action


@dataclass(frozen=True, slots=True)
class Procedure:
    """What a system procedure does.

    `on` says what its effects are on: "" the database, "server", "file", "program", "setting", "role", "job", "table"
    (its first argument names one). `secret`: its arguments may be passwords or keys. `tells`: it shows values.
    """

    actions: tuple[Action, ...]
    on: str = ""
    secret: bool = False
    tells: bool = False


HARMLESS = Procedure((Action.CONNECT,))
_GROUPS: tuple[tuple[Procedure, str], ...] = (
    (
        HARMLESS,
        """
        sp_help sp_helptext sp_helpindex sp_helpconstraint sp_helpdb sp_helpfile sp_helpfilegroup sp_helplanguage
        sp_helpstats sp_helptrigger sp_helpsort sp_helpextendedproc sp_depends sp_columns sp_columns_90 sp_columns_100
        sp_columns_ex sp_column_privileges sp_databases sp_datatype_info sp_datatype_info_90 sp_datatype_info_100
        sp_fkeys sp_pkeys sp_primarykeys sp_server_info sp_special_columns sp_special_columns_90
        sp_special_columns_100 sp_sproc_columns sp_sproc_columns_90 sp_sproc_columns_100 sp_statistics
        sp_statistics_100 sp_stored_procedures sp_table_privileges sp_tables sp_spaceused
        sp_describe_first_result_set sp_describe_undeclared_parameters sp_describe_parameter_encryption sp_validname
        sp_getapplock sp_releaseapplock sp_tablecollations sp_tablecollations_90 sp_tablecollations_100
        sp_bcp_dbcmptlevel sp_columns_managed sp_mshasdbaccess sp_oledb_ro_usrname sp_oledb_deflang sp_oledb_language
        sp_getbindtoken sp_ddopen sp_table_type_columns_100 sp_table_types sp_foreignkeys sp_indexes
        sp_catalogs_rowset sp_catalogs_rowset2 sp_columns_rowset sp_columns_rowset2 sp_indexes_rowset
        sp_indexes_rowset2 sp_foreign_keys_rowset sp_foreign_keys_rowset2 sp_primary_keys_rowset
        sp_primary_keys_rowset2 sp_procedures_rowset sp_procedures_rowset2 sp_procedure_params_rowset
        sp_procedure_params_100_rowset sp_procedure_params_100_managed sp_procedure_params_managed
        sp_provider_types_rowset sp_provider_types_100_rowset sp_schemata_rowset sp_statistics_rowset
        sp_tables_rowset sp_tables_rowset2 sp_tables_info_rowset sp_tables_info_rowset2 sp_table_constraints_rowset
        sp_views_rowset sp_usertypes_rowset sp_constr_col_usage_rowset sp_check_constraints_rowset
        sp_column_privileges_rowset sp_table_privileges_rowset sp_catalogs sp_who_am_i sp_xml_removedocument
        sp_lookupcustomresolver
        sp_helpfulltextcatalogs sp_help_fulltext_catalogs sp_help_fulltext_columns sp_help_fulltext_tables
        sp_help_fulltext_catalog_components sp_fulltext_semantic_get_language_statistics_db
        sp_helpdevice sp_estimated_rowsize_reduction_for_vardecimal
        sp_estimate_data_compression_savings
        sp_describe_cursor sp_describe_cursor_columns sp_describe_cursor_tables sp_cursor_list
        sp_get_query_template
        """,
    ),
    (
        Procedure((Action.READ,), "catalog"),
        """
        sp_helpuser sp_helprole sp_helprolemember sp_helplogins sp_helpsrvrole sp_helpsrvrolemember sp_helprotect
        sp_helpgroup sp_helpntgroup sp_helpdbfixedrole sp_dbfixedrolepermission sp_srvrolepermission sp_helpserver
        sp_linkedservers sp_helplinkedsrvlogin sp_helpremotelogin sp_monitor sp_lock sp_validatelogins
        sp_change_users_login_report sp_help_job sp_help_jobhistory sp_help_schedule
        """,
    ),
    (Procedure((Action.ADMIN,), tells=True), "sp_who sp_who2 sp_readerrorlog sp_enumerrorlogs sp_getqueueprocesses"),
    (
        Procedure((Action.ENTITLE,), "role", secret=True),
        """
        sp_addrolemember sp_droprolemember sp_addrole sp_droprole sp_addlogin sp_droplogin sp_grantlogin sp_denylogin
        sp_revokelogin sp_adduser sp_dropuser sp_grantdbaccess sp_revokedbaccess sp_addsrvrolemember
        sp_dropsrvrolemember sp_password sp_defaultdb sp_defaultlanguage sp_change_users_login sp_changedbowner
        sp_addapprole sp_dropapprole sp_approlepassword sp_addalias sp_dropalias sp_addgroup sp_dropgroup
        sp_changegroup sp_changeobjectowner sp_migrate_user_to_contained sp_addremotelogin sp_dropremotelogin
        sp_control_dbmasterkey_password
        """,
    ),
    (
        Procedure((Action.DEFINE, Action.EXPORT), "server", secret=True),
        """
        sp_addlinkedserver sp_addlinkedsrvlogin sp_droplinkedsrvlogin sp_dropserver sp_addserver sp_serveroption
        sp_setnetname sp_testlinkedserver sp_remoteoption sp_addsubscription sp_addpublication sp_addarticle
        sp_addsubscriber sp_addpullsubscription sp_adddistributor sp_adddistpublisher sp_replicationdboption
        sp_addmergepublication sp_addmergesubscription sp_table_statistics2_rowset sp_rda_setup sp_data_source_objects
        sp_data_source_table_columns sp_link_publication sp_addlinkedserverlogin sp_create_openrowset_statistics
        sp_drop_openrowset_statistics sp_cdc_enable_cross
        """,
    ),
    (
        Procedure((Action.EXPORT,), "server", secret=True, tells=True),
        "sp_invoke_external_rest_endpoint sp_execute_remote sp_tables_ex sp_catalogs_ex",
    ),
    (
        Procedure((Action.EXECUTE,), "program"),
        """
        sp_execute_external_script sp_oacreate sp_oamethod sp_oagetproperty sp_oasetproperty sp_oadestroy
        sp_oageterrorinfo sp_oastop sp_addextendedproc sp_dropextendedproc sp_procoption sp_set_session_resource_group
        """,
    ),
    (
        Procedure((Action.EXECUTE, Action.ADMIN), "job"),
        """
        sp_start_job sp_stop_job sp_add_job sp_add_jobstep sp_add_jobserver sp_add_schedule sp_add_jobschedule
        sp_attach_schedule sp_update_job sp_update_jobstep sp_update_schedule sp_delete_job sp_delete_jobstep
        sp_delete_schedule sp_delete_jobschedule sp_detach_schedule sp_apply_job_to_targets sp_add_alert
        sp_add_operator sp_add_notification sp_add_proxy sp_grant_proxy_to_subsystem sp_grant_login_to_proxy
        sp_create_plan_guide sp_create_plan_guide_from_handle sp_control_plan_guide sp_delete_jobsteplog
        sp_purge_jobhistory sp_cycle_agent_errorlog sp_manage_jobs_by_login sp_post_msx_operation sp_resync_targetserver
        """,
    ),
    (
        Procedure((Action.EXPORT,), "mail", secret=True),
        """
        sp_send_dbmail sp_notify_operator sysmail_add_account_sp sysmail_add_profile_sp sysmail_add_profileaccount_sp
        sysmail_add_principalprofile_sp sysmail_configure_sp sysmail_start_sp sysmail_stop_sp
        sysmail_update_account_sp sysmail_delete_account_sp sysmail_delete_profile_sp sysmail_help_account_sp
        """,
    ),
    (
        Procedure((Action.ADMIN,), "setting"),
        """
        sp_configure sp_dboption sp_db_vardecimal_storage_format sp_dbcmptlevel sp_fulltext_service
        sp_set_database_firewall_rule sp_set_firewall_rule sp_delete_database_firewall_rule sp_delete_firewall_rule
        sp_audit_write sp_cycle_errorlog sp_altermessage sp_addmessage sp_dropmessage sp_trace_create sp_trace_setevent
        sp_trace_setfilter sp_trace_setstatus sp_trace_generateevent sp_create_removable sp_detach_db sp_attach_db
        sp_attach_single_file_db sp_certify_removable sp_resetstatus sp_add_log_shipping_primary_database
        sp_filestream_configure sp_flush_ct_internal_table_on_demand sp_cdc_enable_db sp_cdc_disable_db
        sp_cdc_enable_table sp_cdc_disable_table sp_cdc_add_job sp_cdc_change_job sp_cdc_start_job sp_cdc_stop_job
        sp_clean_db_free_space sp_clean_db_file_free_space sp_addumpdevice sp_dropdevice sp_delete_backuphistory
        sp_query_store_force_plan sp_query_store_unforce_plan sp_query_store_flush_db sp_query_store_reset_exec_stats
        sp_query_store_remove_plan sp_query_store_remove_query sp_query_store_set_hints sp_query_store_clear_hints
        sp_query_store_consistency_check sp_xtp_control_proc_exec_stats sp_xtp_control_query_exec_stats
        sp_persistent_version_cleanup sp_wait_for_database_copy_sync sp_copy_data_in_batches sp_bindsession
        sp_cleanup_temporal_history sp_generate_database_ledger_digest sp_verify_database_ledger
        sp_verify_database_ledger_from_digest_storage sp_start_fixed_vlf sp_sqlagent_notify sp_rda_deauthorize_db
        sp_enable_sql_debug sp_sdidebug sp_kill_filestream_non_transacted_handles
        sp_kill_oldest_transaction_on_secondary sp_server_diagnostics sp_publishdb sp_change_feed_enable_db
        sp_change_feed_enable_table sp_change_feed_disable_db sp_change_feed_disable_table
        sp_droparticle sp_dropsubscription sp_droppublication sp_repldone sp_replcmds sp_repltrans sp_replflush
        sp_replshowcmds sp_add_data_file_recover_suspect_db sp_add_log_file_recover_suspect_db
        sp_createstats sp_indexoption sp_tableoption sp_create_streaming_job sp_memory_optimized_cs_migration
        """,
    ),
    (
        Procedure((Action.DEFINE,), "table"),
        """
        sp_recompile sp_autostats sp_bindefault sp_bindrule sp_unbindefault sp_unbindrule sp_refreshview
        sp_refreshsqlmodule sp_settriggerorder sp_addtype sp_droptype sp_fulltext_table sp_fulltext_column
        sp_fulltext_catalog sp_fulltext_database sp_fulltext_keymappings sp_fulltext_load_thesaurus_file
        sp_fulltext_pendingchanges sp_fulltext_resetfdhostargs sp_xml_schema_rowset sp_updatestats
        sp_dropextendedproperty
        sp_addextendedproperty sp_updateextendedproperty sp_sequence_get sp_vupgrade_mergetables sp_invalidate_textptr
        sp_help_spatial_geometry_index sp_help_spatial_geography_index sp_help_spatial_geometry_histogram
        """,
    ),
)


SYSTEM: dict[str, Procedure] = {name: procedure for procedure, names in _GROUPS for name in names.split()}
"""Known procedures; the few that a reader treats by themselves are in none of the groups."""

_FAMILIES = (
    "sp_syspolicy_", "sp_trace_", "sp_query_store_", "sp_cdc_", "sp_fulltext_", "sp_xtp_", "sp_ssis_", "sp_sysutility_",
    "sp_sysmanagement_", "sp_sysdac_", "sp_help_log_shipping_", "sp_add_log_shipping_", "sp_pdw_",
)  # fmt: skip
"""Beginnings of names under which the server keeps procedures that administer it."""


def known_procedure(name: str) -> Procedure | None:
    """Return what a procedure of the server's does, of a lower-case name."""
    return SYSTEM.get(name) or (Procedure((Action.ADMIN,), "setting") if name.startswith(_FAMILIES) else None)


SPECIAL = frozenset(
    """
    sp_executesql sp_rename sp_renamedb sp_setapprole sp_unsetapprole sp_set_session_context sp_xml_preparedocument
    sp_msforeachtable sp_msforeachdb sp_prepare sp_prepexec sp_prepexecrpc sp_execute sp_cursoropen sp_cursorprepare
    sp_cursorprepexec sp_cursorexecute sp_cursorfetch sp_cursor sp_makewebtask sp_sqlexec
    """.split()  # noqa: SIM905 - a word list reads better as words
)


def is_system(name: str) -> bool:
    """Whether a lower-case name is one of the server's own procedures, or is looked for among them first."""
    return name in SYSTEM or name in SPECIAL or name.startswith(("xp_", *_FAMILIES))
