"""SQL Server's own views and functions, by what they give away.

https://learn.microsoft.com/sql/relational-databases/system-catalog-views and its neighbours. What stands in no list is
read as a table of the schema `sys` whose columns nobody can trace.
"""

from __future__ import annotations

STRUCTURE_VIEWS = frozenset(
    """
    all_columns all_objects all_parameters all_sql_modules all_views allocation_units assemblies assembly_files
    assembly_modules assembly_references assembly_types change_tracking_databases change_tracking_tables
    check_constraints column_store_dictionaries column_store_row_groups column_store_segments column_type_usages
    column_xml_schema_collection_usages columns computed_columns configurations data_spaces database_files
    database_filestream_options database_permissions database_principals database_query_store_options
    database_recovery_status database_role_members database_scoped_configurations database_service_objectives
    databases default_constraints destination_data_spaces dm_db_index_usage_stats dm_db_log_space_usage
    dm_db_missing_index_details dm_db_missing_index_group_stats dm_db_missing_index_groups dm_db_partition_stats
    dm_db_resource_stats dm_db_stats_properties dm_exec_describe_first_result_set
    dm_exec_describe_first_result_set_for_object dm_os_host_info dm_os_performance_counters
    dm_os_sys_info dm_os_wait_stats dm_os_windows_info dm_sql_referenced_entities dm_sql_referencing_entities
    edge_constraint_clauses edge_constraints elastic_pool_resource_stats event_notifications events
    extended_properties external_data_source_types external_file_formats external_libraries external_tables
    filegroups filetables foreign_key_columns foreign_keys fulltext_catalogs fulltext_document_types
    fulltext_index_catalog_usages fulltext_index_columns fulltext_indexes fulltext_languages fulltext_stoplists
    fulltext_stopwords hash_indexes identity_columns index_columns index_resumable_operations indexes
    internal_partitions internal_tables key_constraints ledger_column_history ledger_table_history
    masked_columns master_files memory_optimized_tables_internal_attributes messages module_assembly_usages
    numbered_procedure_parameters numbered_procedures objects parameter_type_usages
    parameter_xml_schema_collection_usages
    parameters partition_functions partition_parameters partition_range_values partition_schemes partitions periods
    plan_guides procedures registered_search_properties registered_search_property_lists resource_stats schemas
    securable_classes security_policies security_predicates selective_xml_index_paths sensitivity_classifications
    sequences server_permissions server_principals server_role_members server_triggers service_contracts
    service_message_types service_queue_usages service_queues services spatial_index_tessellations spatial_indexes
    spatial_reference_systems sql_dependencies sql_expression_dependencies sql_modules stats stats_columns synonyms
    syscharsets syscolumns syscomments sysconfigures sysconstraints sysdatabases sysdepends sysfilegroups sysfiles
    sysforeignkeys sysfulltextcatalogs sysindexes sysindexkeys syslanguages sysmembers sysmessages sysobjects
    syspermissions sysprotects sysreferences systypes sysusers system_columns
    system_components_surface_area_configuration
    system_internals_allocation_units system_internals_partition_columns system_internals_partitions system_objects
    system_parameters system_sql_modules system_views table_types tables time_zone_info traces trigger_event_types
    trigger_events triggers type_assembly_usages types user_token login_token views vector_indexes
    xml_indexes xml_schema_attributes xml_schema_collections xml_schema_component_placements xml_schema_components
    xml_schema_elements xml_schema_facets xml_schema_model_groups xml_schema_namespaces xml_schema_types
    xml_schema_wildcard_namespaces xml_schema_wildcards column_encryption_keys column_master_keys
    column_encryption_key_values openkeys key_constraints dm_user_db_resource_governance dm_db_file_space_usage
    dm_db_session_space_usage dm_db_task_space_usage dm_db_index_physical_stats dm_db_index_operational_stats
    dm_db_column_store_row_group_physical_stats dm_db_column_store_row_group_operational_stats
    dm_db_xtp_table_memory_stats dm_db_xtp_hash_index_stats dm_db_persisted_sku_features dm_hadr_database_replica_states
    fn_listextendedproperty fn_my_permissions fn_helpcollations fn_builtin_permissions fn_isbitsetinbitmask
    fn_varbintohexstr fn_varbintohexsubstring fn_getproviderstring fn_translatecolumnname fn_hadr_is_primary_replica
    fn_helpdatatypemap fn_stmt_sql_handle_from_sql_stmt fn_validate_plan_guide fn_check_object_signatures
    fn_virtualfilestats fn_virtualservernodes fn_physloccracker fn_physlocformatter dm_tran_current_transaction
    geo_replication_links database_ledger_blocks
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Views and functions of sys that show structure, sizes and states, and no value of any table."""

REVEALING_VIEWS = frozenset(
    """
    sql_logins syslogins sysxlogins sysremotelogins linked_logins remote_logins credentials database_credentials
    database_scoped_credentials symmetric_keys asymmetric_keys certificates key_encryptions crypt_properties
    sysoledbusers sysservers servers external_data_sources server_principal_credentials dm_database_encryption_keys
    cryptographic_providers fn_pwdencrypt
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Views of sys that hand out password hashes, keys, or what opens other servers."""

TELLTALE_VIEWS = frozenset(
    """
    dm_exec_sql_text dm_exec_query_plan dm_exec_text_query_plan dm_exec_query_plan_stats dm_exec_input_buffer
    dm_exec_query_statistics_xml dm_exec_plan_attributes dm_exec_cached_plans dm_exec_query_stats
    dm_exec_procedure_stats dm_exec_trigger_stats dm_exec_function_stats dm_exec_requests dm_exec_connections
    dm_exec_sessions dm_exec_cursors dm_exec_xml_handles dm_exec_query_memory_grants dm_exec_query_profiles
    dm_exec_query_optimizer_info dm_exec_session_wait_stats dm_os_waiting_tasks dm_os_buffer_descriptors
    dm_os_ring_buffers dm_os_memory_cache_entries dm_tran_locks dm_tran_version_store dm_tran_active_transactions
    dm_tran_session_transactions dm_tran_database_transactions dm_db_stats_histogram dm_db_page_info
    dm_fts_index_keywords dm_fts_index_keywords_by_document dm_fts_index_keywords_by_property
    dm_xe_session_targets dm_xe_database_session_targets dm_xe_sessions dm_xe_database_sessions
    query_store_query_text query_store_query query_store_plan query_store_runtime_stats query_store_wait_stats
    query_store_runtime_stats_interval query_context_settings query_store_query_hints query_store_plan_feedback
    sysprocesses syscacheobjects syslockinfo fn_get_sql fn_dblog fn_dump_dblog fn_full_dblog fn_dblog_xtp
    fn_trace_getinfo fn_trace_geteventinfo fn_trace_getfilterinfo fn_rowdumpcracker fn_cdc_get_all_changes
    dm_exec_compute_node_errors dm_pdw_exec_requests event_log fn_cdc_get_net_changes dm_broker_queue_monitors
    conversation_endpoints transmission_queue fn_ccid_compare sysopentapes
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Views and functions of sys that show other sessions' statements, or values of any table."""

FILE_FUNCTIONS = frozenset(
    """
    fn_trace_gettable fn_xe_file_target_read_file fn_get_audit_file fn_get_audit_file_v2 dm_os_file_exists
    dm_os_enumerate_filesystem dm_os_enumerate_fixed_drives dm_os_volume_stats fn_servershareddrives
    fn_xe_telemetry_blob_target_read_file
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions that read files of the server's, or list them."""

COMPATIBLE = frozenset(name for name in (*STRUCTURE_VIEWS, *REVEALING_VIEWS, *TELLTALE_VIEWS) if name.startswith("sys"))
"""Views that may be named without their schema, or as dbo's: sysobjects, syscolumns …"""

OTHER_DATABASES = frozenset({"master", "tempdb", "model", "msdb"})
MASTER_TABLES = frozenset({"spt_values"})
"""Tables of master that hold constants."""

PURE = frozenset(
    """
    abs acos ascii asin atan atn2 base64_decode base64_encode binary_checksum bit_count ceiling char charindex checksum
    choose coalesce compress concat concat_ws cos cot datalength date_bucket dateadd datediff datediff_big datefromparts
    datename datepart datetime2fromparts datetimefromparts datetimeoffsetfromparts datetrunc day decompress degrees
    difference edit_distance edit_distance_similarity eomonth exp floor format formatmessage get_bit greatest hashbytes
    iif isdate isjson isnull isnumeric jaro_winkler_distance jaro_winkler_similarity json_array json_contains
    json_modify json_object json_path_exists json_query json_value least left left_shift len log log10 lower ltrim month
    nchar nullif parsename patindex pi power quotename radians rand regexp_count regexp_instr regexp_like
    regexp_replace regexp_substr replace replicate reverse right right_shift round rtrim set_bit sign sin
    smalldatetimefromparts soundex space sqrt square str string_escape stuff substring switchoffset tan timefromparts
    todatetimeoffset translate trim unicode unistr upper vector_distance vector_norm vector_normalize vectorproperty
    year
    avg checksum_agg max min stdev stdevp string_agg sum var varp approx_percentile_cont any_value
    approx_percentile_disc percentile_cont percentile_disc first_value lag last_value lead json_arrayagg
    json_objectagg product sql_variant_property convert cast parse try_convert try_cast try_parse
    textptr textvalid ucase lcase truncate curdate curtime now dayname dayofmonth
    dayofweek dayofyear hour minute second monthname quarter week locate insert octet_length bit_length character_length
    char_length position mod ifnull extract timestampadd timestampdiff
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions, aggregates and ODBC's {fn …} whose value depends on their arguments alone."""

COUNTING = frozenset(
    {"count", "count_big", "approx_count_distinct", "grouping", "grouping_id", "row_number", "rank", "dense_rank",
     "ntile", "cume_dist", "percent_rank"}
)  # fmt: skip
"""Aggregates and ranks that give a number of rows, never a value."""

SOURCELESS = frozenset(
    """
    app_name applock_mode applock_test assemblyproperty asymkey_id asymkeyproperty cert_id certproperty col_length
    col_name collationproperty columnproperty columns_updated connectionproperty crypt_gen_random current_date
    current_request_id current_time current_timestamp current_timezone current_timezone_id current_transaction_id
    current_user cursor_status database database_principal_id databaseproperty databasepropertyex db_id db_name
    error_line error_number error_procedure error_severity error_state eventdata file_id file_idex file_name
    filegroup_id filegroup_name filegroupproperty fileproperty filepropertyex fulltextcatalogproperty
    fulltextserviceproperty getansinull getdate getutcdate get_filestream_transaction_context graph_id_from_edge_id
    graph_id_from_node_id has_dbaccess has_perms_by_name host_id host_name ident_current ident_incr ident_seed identity
    index_col indexkey_property indexproperty is_member is_objectsigned is_rolemember is_srvrolemember key_guid key_id
    key_name min_active_rowversion newid newsequentialid object_definition object_id object_id_from_edge_id
    object_id_from_node_id object_name object_schema_name objectproperty objectpropertyex original_db_name
    original_login permissions rowcount_big schema_id schema_name scope_identity serverproperty session_id
    session_user sessionproperty stats_date suser_id suser_name suser_sid suser_sname symkeyproperty sysdatetime
    sysdatetimeoffset system_user sysutcdatetime trigger_nestlevel type_id type_name typeproperty update user user_id
    user_name xact_state xml_schema_namespace versionproperty edge_id_from_parts node_id_from_parts
    filetablerootpath getfilenamespacepath getpathlocator context_info session_context pwdcompare
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions of the session, the server and its catalog: no column of a table is in them but in their arguments."""

REVEALING_FUNCTIONS = frozenset(
    """
    loginproperty certprivatekey certencoded decryptbykey decryptbypassphrase decryptbyasymkey decryptbycert
    decryptbykeyautoasymkey decryptbykeyautocert pwdencrypt signbycert signbyasymkey
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions that hand out keys, password hashes, or what keys protect."""

SECRET_FUNCTIONS = frozenset(
    """
    encryptbypassphrase decryptbypassphrase encryptbykey decryptbykey decryptbycert decryptbyasymkey encryptbycert
    encryptbyasymkey decryptbykeyautoasymkey decryptbykeyautocert certprivatekey signbycert signbyasymkey pwdencrypt
    pwdcompare hashbytes opendatasource openrowset openquery verifysignedbycert verifysignedbyasymkey
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions whose constants are passphrases, keys and connection strings."""

KEYED_FUNCTIONS = frozenset({"encryptbypassphrase", "encryptbykey", "encryptbycert", "encryptbyasymkey",
                             "verifysignedbycert", "verifysignedbyasymkey"})  # fmt: skip
"""Functions that compute with keys and hand out nothing."""

DATE_PARTS = frozenset({"dateadd", "datediff", "datediff_big", "datename", "datepart", "date_bucket", "datetrunc",
                        "timestampadd", "timestampdiff"})  # fmt: skip
"""Functions whose first argument is a date part, a word and no column."""
