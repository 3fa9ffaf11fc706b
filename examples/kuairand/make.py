"""Makes the shipped cut of KuaiRand-Pure from a directory with the full one.

    python3 make.py DIRECTORY [OUTPUT]

DIRECTORY holds exposures.csv.gz, earlier_sequences.csv.gz, videos.csv.gz and users.csv.gz; OUTPUT is by default the
directory of this script. Rows and their order are kept, columns are dropped, of a video's tags the first is kept, and
the tag "unknown" becomes an empty cell.
The same input gives the same bytes.
"""

import csv
import gzip
import io
import pathlib
import sys

KEPT = {
    "exposures.csv.gz": ["split", "user_id", "video_id", "time_ms", "tab", "is_click", "long_view"],
    "earlier_sequences.csv.gz": ["user_id", "exposed", "long_viewed"],
    "videos.csv.gz": ["video_id", "author_id", "tag", "video_type", "upload_type", "video_duration"],
    "users.csv.gz": [
        "user_id",
        "user_active_degree",
        "is_video_author",
        "follow_user_num_range",
        "fans_user_num_range",
        "register_days_range",
    ],
}


def cell(column: str, text: str) -> str:
    """What is written for a cell: of several tags the first, nothing for an unknown one, all else as it is."""
    if column != "tag":
        return text
    first = text.split(",")[0]
    return "" if first == "unknown" else first


def make(source: pathlib.Path, target: pathlib.Path, columns: list[str]) -> None:
    """Copies some columns of a gzipped CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    with gzip.open(source, "rt", encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            writer.writerow([cell(column, row[column]) for column in columns])
    # As `gzip -9n`: neither name nor time, so that the bytes depend on the rows alone.
    target.write_bytes(gzip.compress(text.getvalue().encode("utf-8"), compresslevel=9, mtime=0))


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = pathlib.Path(sys.argv[1])
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else pathlib.Path(__file__).parent
    for name, columns in KEPT.items():
        make(source / name, target / name, columns)
        print(f"{name}: {(target / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
