"""Functions of PostgreSQL and of its usual extensions that do more than compute, by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blastwall.model.effects import Action


@dataclass(frozen=True, slots=True)
class Danger:
    """A function of PostgreSQL or of its usual extensions that does more than compute."""

    actions: tuple[Action, ...]
    runs_text: bool = False


_READS_FILES = Danger((Action.EXECUTE, Action.EXPORT))
_ADMIN = Danger((Action.ADMIN,))
_EXECUTE = Danger((Action.EXECUTE,))
_LEAKS = Danger((Action.READ,))
_RUNS_SQL = Danger((Action.EXECUTE,), runs_text=True)
_REACHES_OUT = Danger((Action.EXECUTE, Action.EXPORT), runs_text=True)
_DANGERS: tuple[tuple[str, Danger], ...] = (
    (r"pg_read_(binary_)?file(_old|_all)?|pg_ls_\w+|pg_stat_file|pg_current_logfile|pg_file_\w+|pg_logdir_ls", _READS_FILES),  # noqa: E501 - one pattern a line
    (r"lo_(import|export)\w*|pg_execute_server_program|http\w*|azure_\w+|pg_background_\w+|aws_\w+", _READS_FILES),
    (r"dblink\w*|postgres_fdw_\w+|cron_\w+|schedule\w*|unschedule|alter_job|pg_execute", _REACHES_OUT),
    (r"(query|cursor)_to_xml\w*|(table|schema|database)_to_xml\w*|ts_stat|ts_rewrite|connectby|crosstab\w*", _RUNS_SQL),
    (r"xpath_table|normal_rand|exec(ute)?_?sql|pg_stat_statements_reset", _RUNS_SQL),
    (r"pg_(terminate|cancel)_backend|pg_reload_conf|pg_rotate_logfile(_old)?|pg_promote|pg_switch_(wal|xlog)", _ADMIN),
    (r"pg_(create|drop|copy|sync)_\w*replication_slot\w*|pg_replication_\w+|pg_create_restore_point", _ADMIN),
    (r"pg_(backup_(start|stop)|(start|stop)_backup|wal_replay_(pause|resume)|log_backend_memory_contexts)", _ADMIN),
    (r"pg_stat_(reset\w*|clear_snapshot|force_next_flush)|pg_(try_)?advisory_\w+|pg_export_snapshot|pg_nextoid", _ADMIN),  # noqa: E501 - one pattern a line
    (r"pg_(import_system_collations|extension_config_dump|stop_making_pinned_objects|set_\w+_stats)|binary_upgrade_\w+", _ADMIN),  # noqa: E501 - one pattern a line
    (r"pg_(clear|restore)_\w+_stats|brin_(de)?summarize\w*|gin_clean_pending_list|pg_prewarm|pg_control_\w+", _ADMIN),
    (r"pg_logical_emit_message|pg_sleep\w*|pg_notify", _EXECUTE),
    (r"pg_logical_slot_\w+", Danger((Action.EXPORT, Action.ADMIN))),
    (r"pg_stat_get_(activity|backend_\w+|wal_senders|wal_receiver|subscription\w*)|pg_stat_statements\w*", _LEAKS),
    (r"pg_(hba_file_rules|show_all_file_settings|ident_file_mappings|config|prepared_\w+|cursor|mcv_list_items)", _LEAKS),  # noqa: E501 - one pattern a line
    (r"pg_(get_replication_slots|lock_status|get_backend_memory_contexts|get_shmem_allocations)|current_query", _LEAKS),
    (r"get_raw_page|heap_page_item\w*|bt_page_\w+|page_header|pg_dirtyread|currtid2?|pg_buffercache\w*|pgrowlocks", _LEAKS),  # noqa: E501 - one pattern a line
    (r"lo_(creat|create|from_bytea|open|put|truncate|truncate64|unlink)|lowrite", Danger((Action.UPDATE,))),
    (r"lo_(get|lseek|lseek64|tell|tell64|close)|loread", _LEAKS),
)  # fmt: skip
_DANGER = re.compile("|".join(f"(?P<d{index}>{pattern})" for index, (pattern, _) in enumerate(_DANGERS)))


def danger(name: str) -> Danger | None:
    """Return what is known of a dangerous function, by its name in lower-case."""
    match = _DANGER.fullmatch(name)
    return _DANGERS[int((match.lastgroup or "d0")[1:])][1] if match else None
