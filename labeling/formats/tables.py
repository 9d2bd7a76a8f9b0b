"""Records out of tables: CSV, TSV, XLSX, Parquet and Arrow files. The header names the fields.

XLSX needs openpyxl, Parquet and Arrow need pyarrow; both load when the first such file comes.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from labeling.formats.files import LONGEST, Record
from labeling.formats.items import Refusal, Unreadable

BATCH = 500
UNPACKED = 1 << 30  # bytes that the parts of one workbook may unpack to
COLUMNS = {
    "prompt", "instruction", "question", "messages", "conversations", "text", "chosen", "rejected", "response",
    "output", "completion", "answer", "responses", "input",
}  # fmt: skip  # a header with none of these is not told to be one of ours
FORMULA = tuple("=+-@\t\r\n")  # what a spreadsheet takes for the beginning of one
OWN = "rankloop_id"  # the column that tells our own exports, whose formula-like cells are guarded
_FLAGS = {"true": True, "false": False}
_NUMBERS = re.compile(r"label|preference|rank|annotator\d+|kto_tag")


def is_table(start: bytes, suffix: str) -> bool:
    """Whether a text file's first line is a header."""
    if suffix in (".csv", ".tsv"):
        return True
    header = re.split(r"[,;\t]", start.decode("utf-8", "replace").split("\n", 1)[0])
    return len(header) > 1 and bool({name.strip().strip('"').lower() for name in header} & COLUMNS)


def delimited(stream: io.BufferedReader, name: str) -> Iterator[Record]:
    csv.field_size_limit(LONGEST)
    first = stream.peek(1 << 12).split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max("\t,;", key=first.count)
    # Undecodable bytes become lone surrogates, which are refused with their record.
    text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    header: list[str] = []
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield line, Refusal(f"is not CSV: {error}")
            line = reader.line_num + 1
            continue
        if cells is None:
            break
        if not header:
            header = _header(cells, name)
        elif any(cells):
            yield line, _row(header, cells)
        line = reader.line_num + 1
    if not header:
        raise Unreadable(f"{name} is empty")


def workbook(path: Path) -> Iterator[Record]:
    """The rows of every sheet. A formula is refused: what it gives depends on who opens it."""
    import zipfile

    openpyxl = needed("openpyxl", "XLSX files")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > UNPACKED:
                raise Unreadable(f"{path.name} unpacks to more than {UNPACKED} bytes")
        book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001  openpyxl lets through whatever the parsers beneath it raise
        raise Unreadable(f"{path.name} is no workbook: {error}") from None
    try:
        for sheet in book.worksheets:
            header: list[str] = []
            for number, cells in enumerate(sheet.iter_rows(), start=1):
                if not header:
                    header = _header(["" if cell.value is None else str(cell.value) for cell in cells], path.name)
                elif any(cell.value is not None for cell in cells):
                    formula = next((cell for cell in cells if cell.data_type == "f"), None)
                    if formula is not None:
                        yield number, Refusal(f"cell {formula.coordinate} is a formula")
                    else:
                        yield number, _row(header, [_cell(cell.value) for cell in cells])
    finally:
        book.close()


def parquet(path: Path) -> Iterator[Record]:
    module = needed("pyarrow.parquet", "Parquet files")
    try:
        with module.ParquetFile(path) as file:
            yield from _batches(file.iter_batches(batch_size=BATCH))
    except (needed("pyarrow", "Parquet files").ArrowException, OSError) as error:
        raise Unreadable(f"{path.name} is not readable as Parquet: {error}") from None


def arrow(path: Path) -> Iterator[Record]:
    """An Arrow stream, as `datasets` saves it, or an Arrow file."""
    pyarrow, ipc = needed("pyarrow", "Arrow files"), needed("pyarrow.ipc", "Arrow files")
    try:
        with pyarrow.memory_map(str(path)) as source:
            if source.read(6) == b"ARROW1":
                file = ipc.open_file(source)
                yield from _batches(file.get_batch(index) for index in range(file.num_record_batches))
            else:
                source.seek(0)
                yield from _batches(ipc.open_stream(source))
    except (pyarrow.ArrowException, OSError) as error:
        raise Unreadable(f"{path.name} is not readable as Arrow: {error}") from None


def needed(module: str, what: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise Unreadable(f"{what} need the package {package}, which is in requirements-data.txt") from None


def _batches(batches: Any) -> Iterator[Record]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            for row in batch.slice(start, BATCH).to_pylist():
                number += 1
                yield number, {key: value for key, value in row.items() if value is not None}


def _header(cells: list[str], name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    named = [cell for cell in header if cell]
    if not named:
        raise Unreadable(f"{name} has no header that names its columns")
    if len(set(named)) != len(named):
        raise Unreadable(f"{name} names a column twice")
    return header


def _row(header: list[str], cells: list[str]) -> Any:
    if len(cells) > len(header) and any(cells[len(header) :]):
        return Refusal(f"has {len(cells)} cells; the header names {len(header)}")
    own = OWN in header
    return {
        key: _typed(key, unguarded(cell) if own else cell)
        for key, cell in zip(header, cells, strict=False)
        if key and (cell != "" or key in COLUMNS)
    }


def _typed(key: str, cell: str) -> Any:
    """Lists and objects within a cell are JSON; labels and ranks are numbers."""
    if cell[:1] in "[{" and cell[-1:] in "]}":
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    if _NUMBERS.fullmatch(key.lower()):
        if cell.lower() in _FLAGS:
            return _FLAGS[cell.lower()]
        try:
            return int(cell) if re.fullmatch(r"-?\d{1,15}", cell) else float(cell)
        except ValueError:
            return cell
    return cell


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula. `unguarded` takes it back exactly."""
    return f"'{cell}" if cell.lstrip("'")[:1] in FORMULA and cell.strip("'") else cell


def unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'")[:1] in FORMULA and cell.strip("'") else cell


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
