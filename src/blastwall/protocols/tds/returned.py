"""OUTPUT parameters as the client gets them (MS-TDS 2.2.7.19 "RETURNVALUE")."""

from __future__ import annotations

from dataclasses import replace

from blastwall.masking.plan import MaskPlan
from blastwall.protocols.tds.answers import return_value
from blastwall.protocols.tds.masked_types import hiding, shown, wanted
from blastwall.protocols.tds.row_cells import RowCells
from blastwall.protocols.tds.row_forms import ROW
from blastwall.protocols.tds.row_masks import RowWriter
from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.tokens import ReturnValue
from blastwall.protocols.tds.types import Prefix


def masked_value(value: ReturnValue, plan: MaskPlan) -> bytes | None:
    """Return the RETURNVALUE that replaces one, None where it passes; its value is read as a row of one column.

    What is shown is cut to the declared length: the client has bound a parameter of that.

    Raises:
        DetectorFailed: nothing of it may be shown.
    """
    type_ = hiding(value.type) if value.type.prefix is Prefix.FIXED and plan.always else value.type
    row = RowCells(RowPlan((value.type,)), (wanted(0, value.type),), bytes((ROW,)) + value.field, 1)
    row.read(0)
    anew = RowWriter(row, plan.mask_cells(row.text, row.places), (shown(type_),))
    if anew.first < 0:
        return None
    return return_value(replace(value, type=type_, field=anew.written()[1:]))
