"""Word lists about PostgreSQL itself, taken from the pg_proc, pg_operator, pg_class and pg_settings of 15 and 18."""

HARMLESS_FUNCTIONS = frozenset(
    """
    abbrev abs aclcontains acldefault aclexplode acos acosd acosh age any_value area array_agg array_append
    array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
    array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_json
    array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg bit
    bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or box bpchar broadcast btrim bytea
    cardinality casefold cash_words cbrt ceil ceiling center char char_length character_length chr cidr circle
    clock_timestamp coalesce col_description concat concat_ws convert convert_from convert_to corr cos cosd cosh cot
    cotd count covar_pop covar_samp crc32 crc32c cume_dist current_catalog current_database current_schema
    current_schemas current_user currval date date_add date_bin date_part date_subtract date_trunc datemultirange
    daterange daterange_canonical daterange_subdiff decode degrees dense_rank diagonal diameter div dround dtrunc
    encode enum_first enum_last enum_range erf erfc every exp extract factorial family first_value float4 float8
    float8_accum floor format format_type gamma gcd gen_random_uuid generate_series generate_subscripts get_bit
    get_byte get_current_ts_config getdatabaseencoding getpgusername greatest grouping has_any_column_privilege
    has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
    has_language_privilege has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege
    has_table_privilege has_tablespace_privilege has_type_privilege hash_array hashint4 hashint8 hashtext
    hashtextextended height host hostmask in_range inet inet_client_addr inet_client_port inet_server_addr
    inet_server_port initcap int2 int4 int4_sum int4multirange int4range int4range_canonical int4range_subdiff int8
    int8multirange int8range int8range_canonical int8range_subdiff interval is_normalized isclosed isempty
    isfinite ishorizontal isopen isparallel isperp isvertical json json_agg json_agg_strict json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each
    json_each_text json_extract_path json_extract_path_text json_object json_object_agg json_object_agg_strict
    json_object_agg_unique json_object_agg_unique_strict json_object_keys json_populate_record
    json_populate_recordset json_scalar json_strip_nulls json_to_record json_to_recordset json_to_tsvector
    json_typeof jsonb jsonb_agg jsonb_agg_strict jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path
    jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique jsonb_object_agg_unique_strict jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz
    jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz
    jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
    jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record
    jsonb_to_recordset jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lag last_value
    lastval lcm lead least left length lgamma like like_escape line ln log log10 lower lower_inc
    lower_inf lpad lseg ltrim macaddr macaddr8 macaddr8_set7bit make_date make_interval make_time make_timestamp
    make_timestamptz makeaclitem masklen max md5 merge_action min min_scale mod mode money multirange mxid_age name
    netmask network normalize notlike now npoints nth_value ntile nullif num_nonnulls num_nulls numeric
    numeric_div_trunc numeric_exp numeric_inc numeric_ln numeric_log numeric_sqrt nummultirange numnode numrange
    numrange_subdiff obj_description octet_length oid oidlarger oidvectortypes overlaps overlay parse_ident path
    percent_rank percentile_cont percentile_disc pg_advisory_unlock_all pg_available_extension_versions
    pg_available_extensions pg_available_wal_summaries pg_backend_pid pg_basetype pg_blocking_pids
    pg_char_to_encoding pg_client_encoding pg_collation_actual_version pg_collation_for pg_collation_is_visible
    pg_column_compression pg_column_is_updatable pg_column_size pg_column_toast_chunk_id pg_conf_load_time
    pg_conversion_is_visible pg_current_snapshot pg_current_wal_lsn pg_current_xact_id
    pg_current_xact_id_if_assigned pg_database_collation_actual_version pg_database_size pg_describe_object
    pg_encoding_max_length pg_encoding_to_char pg_extension_update_paths pg_filenode_relation pg_function_is_visible
    pg_get_acl pg_get_constraintdef pg_get_expr pg_get_function_arg_default pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody pg_get_functiondef
    pg_get_indexdef pg_get_keywords pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence
    pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef
    pg_get_userbyid pg_get_viewdef pg_has_role pg_identify_object pg_identify_object_as_address
    pg_index_column_has_property pg_index_has_property pg_indexam_has_property pg_indexam_progress_phasename
    pg_indexes_size pg_input_error_info pg_input_is_valid pg_is_in_recovery pg_is_other_temp_schema
    pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_listening_channels pg_my_temp_schema pg_opclass_is_visible
    pg_operator_is_visible pg_opfamily_is_visible pg_partition_ancestors pg_partition_root pg_partition_tree
    pg_postmaster_start_time pg_relation_filenode pg_relation_is_publishable pg_relation_is_updatable
    pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_sequence_parameters
    pg_settings_get_flags pg_size_bytes pg_size_pretty pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin
    pg_stat_get_dead_tuples pg_stat_get_live_tuples pg_stat_get_numscans pg_stat_get_tuples_deleted
    pg_stat_get_tuples_inserted pg_stat_get_tuples_updated pg_table_is_visible pg_table_size pg_tablespace_databases
    pg_tablespace_size pg_timezone_abbrevs pg_timezone_names pg_total_relation_size pg_trigger_depth
    pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    pg_type_is_visible pg_typeof pg_visible_in_snapshot pg_wal_lsn_diff pg_walfile_name pg_walfile_name_offset
    pg_xact_status phraseto_tsquery pi plainto_tsquery point polygon position pow power querytree quote_ident
    quote_literal quote_nullable radians radius random random_normal range_agg range_intersect_agg range_merge rank
    regclass regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy repeat replace reverse right round row_number row_security_active row_to_json rpad rtrim scale
    session_user set_bit set_byte set_masklen setseed setweight sha224 sha256 sha384 sha512 shobj_description sign
    similar_escape similar_to_escape sin sind sinh slope split_part sqrt starts_with statement_timestamp stddev
    stddev_pop stddev_samp string_agg string_to_array string_to_table strip strpos substr substring sum system_user
    tan tand tanh text textcat textlen time timeofday timestamp timestamptz timetz timezone to_ascii
    to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct to_regclass to_regcollation to_regnamespace
    to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype to_timestamp to_tsquery to_tsvector
    transaction_timestamp translate trim trim_array trim_scale trunc ts_debug ts_delete ts_filter ts_headline
    ts_lexize ts_parse ts_rank ts_rank_cd ts_token_type tsmultirange tsquery tsquery_phrase tsrange tsrange_subdiff
    tstzmultirange tstzrange tstzrange_subdiff tsvector tsvector_to_array txid_current txid_current_if_assigned
    txid_current_snapshot txid_snapshot_xip txid_snapshot_xmax txid_snapshot_xmin txid_status
    txid_visible_in_snapshot unicode_assigned unicode_version unistr unnest upper upper_inc upper_inf uuid
    uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 var_pop var_samp varbit varchar variance version
    websearch_to_tsquery width width_bucket xid xml xml_is_well_formed xml_is_well_formed_content
    xml_is_well_formed_document xmlagg xmlcomment xmlconcat2 xmlexists xmlserialize xmltext xpath xpath_exists
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Functions, aggregates and casts of pg_catalog that read no table, run no text and change nothing that lasts."""

HARMLESS_TRIGGERS = frozenset(
    """
    suppress_redundant_updates_trigger tsvector_update_trigger tsvector_update_trigger_column unique_key_recheck nextval
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Trigger functions of pg_catalog that change the row at hand only; nextval stands in defaults of a table's own."""

OPERATORS = frozenset(
    """
    !! != !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / < <-> << <<= <<|
    <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~=
    ~>=~ ~>~ ~~ ~~*
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Operators of pg_catalog."""

SYSTEM_RELATIONS = frozenset(
    """
    pg_aggregate pg_aios pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_authid
    pg_available_extension_versions pg_available_extensions pg_backend_memory_contexts pg_cast pg_class pg_collation
    pg_config pg_constraint pg_conversion pg_cursors pg_database pg_db_role_setting pg_default_acl pg_depend
    pg_description pg_enum pg_event_trigger pg_extension pg_file_settings pg_foreign_data_wrapper pg_foreign_server
    pg_foreign_table pg_group pg_hba_file_rules pg_ident_file_mappings pg_index pg_indexes pg_inherits pg_init_privs
    pg_language pg_largeobject pg_largeobject_metadata pg_locks pg_matviews pg_namespace pg_opclass pg_operator
    pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_prepared_statements pg_prepared_xacts
    pg_proc pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range
    pg_replication_origin pg_replication_origin_status pg_replication_slots pg_rewrite pg_roles pg_rules pg_seclabel
    pg_seclabels pg_sequence pg_sequences pg_settings pg_shadow pg_shdepend pg_shdescription pg_shmem_allocations
    pg_shmem_allocations_numa pg_shseclabel pg_stat_activity pg_stat_all_indexes pg_stat_all_tables pg_stat_archiver
    pg_stat_bgwriter pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_gssapi pg_stat_io
    pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster pg_stat_progress_copy
    pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_recovery_prefetch pg_stat_replication
    pg_stat_replication_slots pg_stat_slru pg_stat_ssl pg_stat_subscription pg_stat_subscription_stats
    pg_stat_sys_indexes pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables
    pg_stat_wal pg_stat_wal_receiver pg_stat_xact_all_tables pg_stat_xact_sys_tables pg_stat_xact_user_functions
    pg_stat_xact_user_tables pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables
    pg_statio_sys_indexes pg_statio_sys_sequences pg_statio_sys_tables pg_statio_user_indexes
    pg_statio_user_sequences pg_statio_user_tables pg_statistic pg_statistic_ext pg_statistic_ext_data pg_stats
    pg_stats_ext pg_stats_ext_exprs pg_subscription pg_subscription_rel pg_tables pg_tablespace pg_timezone_abbrevs
    pg_timezone_names pg_toast pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser
    pg_ts_template pg_type pg_user pg_user_mapping pg_user_mappings pg_views pg_wait_events
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Names that pg_catalog takes before any schema of the search path."""

HARMLESS_RELATIONS = frozenset(
    """
    pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
    pg_available_extensions pg_cast pg_class pg_collation pg_constraint pg_conversion pg_cursors pg_database
    pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension pg_foreign_table pg_group pg_index
    pg_indexes pg_inherits pg_init_privs pg_language pg_largeobject_metadata pg_locks pg_matviews pg_namespace
    pg_opclass pg_operator pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies pg_policy pg_proc
    pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range pg_rewrite pg_roles
    pg_rules pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shdepend pg_shdescription
    pg_shseclabel pg_stat_all_indexes pg_stat_all_tables pg_stat_database pg_stat_sys_indexes pg_stat_sys_tables
    pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_xact_all_tables pg_stat_xact_sys_tables
    pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes pg_statio_all_sequences
    pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences pg_statio_sys_tables pg_statio_user_indexes
    pg_statio_user_sequences pg_statio_user_tables pg_statistic_ext pg_subscription_rel pg_tables pg_tablespace
    pg_timezone_abbrevs pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict
    pg_ts_parser pg_ts_template pg_type pg_user pg_views pg_wait_events
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Relations of pg_catalog that show structure, never values, statements or credentials."""

HARMLESS_SETTINGS = frozenset(
    """
    application_name array_nulls backslash_quote bytea_output check_function_bodies client_connection_check_interval
    client_min_messages constraint_exclusion cursor_tuple_fraction datestyle default_statistics_target
    default_text_search_config default_transaction_deferrable default_transaction_isolation
    default_transaction_read_only effective_cache_size enable_async_append enable_bitmapscan enable_gathermerge
    enable_hashagg enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material
    enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash
    enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join enable_seqscan enable_sort
    enable_tidscan escape_string_warning extra_float_digits from_collapse_limit geqo geqo_threshold
    hash_mem_multiplier idle_in_transaction_session_timeout idle_session_timeout intervalstyle jit jit_above_cost
    jit_inline_above_cost jit_optimize_above_cost join_collapse_limit lc_monetary lc_numeric lc_time lock_timeout
    max_parallel_workers_per_gather parallel_setup_cost parallel_tuple_cost plan_cache_mode quote_all_identifiers
    random_page_cost search_path seed seq_page_cost statement_timeout synchronize_seqscans synchronous_commit
    tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout timezone
    transaction_deferrable transaction_isolation transaction_read_only transaction_timeout work_mem xmlbinary
    xmloption
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Settings that drivers and ORMs send and that change no meaning that the gateway relies on."""
