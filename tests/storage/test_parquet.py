import sys

import pytest

from vswin_cli.errors import OptionError
from vswin_cli.storage.parquet import check_parquet


def test_parquet_can_be_written_where_its_package_is_installed(monkeypatch):
    pytest.importorskip("pyarrow")
    check_parquet(instead=".csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    with pytest.raises(OptionError, match="Parquet needs pyarrow") as caught:
        check_parquet(instead=".csv")
    assert "or write .csv" in (caught.value.hint or "")
