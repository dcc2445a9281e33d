"""Any result as a tidy table."""

from __future__ import annotations

import pandas as pd
import xarray as xr

_LAST = ("value", "low", "high", "p", "q", "n")


def tidy(result: xr.DataArray | xr.Dataset) -> pd.DataFrame:
    """Return a result of a protocol, with or without intervals, as a table.

    Parameters
    ----------
    result : DataArray or Dataset
        A DataArray; a Dataset of `value, low, high` (from `transfer.uncertainty.bootstrap`); or a
        Dataset of several quantities, each of which may have its `<name>_low` and `<name>_high`.

    Returns
    -------
    DataFrame
        One row a cell, in the order of the dimensions: a column `quantity` where there are several,
        one a dimension, one a coordinate, then `value` and what there is of `low, high, p, q, n`.
    """
    if isinstance(result, xr.DataArray):
        return _rows(result.rename("value").to_dataset())
    if "value" in result:
        return _rows(result)
    ends = ("_low", "_high")
    names = [str(name) for name in result.data_vars]
    quantities = [n for n in names if not (n.endswith(ends) and n.rsplit("_", 1)[0] in names)]
    parts = []
    for name in quantities:
        own = {name: "value"} | {
            f"{name}{end}": end[1:] for end in ends if f"{name}{end}" in result
        }
        part = _rows(result[list(own)].rename(own))
        part.insert(0, "quantity", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _rows(result: xr.Dataset) -> pd.DataFrame:
    dims = [str(dim) for dim in result["value"].dims]
    if not dims:
        cells = {**result.coords, **result.data_vars}
        table = pd.DataFrame({str(name): [cell.item()] for name, cell in cells.items()})
    else:
        table = result.to_dataframe(dim_order=dims).reset_index()
    last = [name for name in _LAST if name in table]
    first = [name for name in table.columns if name not in last]
    return table[[*[d for d in dims if d in first], *[f for f in first if f not in dims], *last]]
