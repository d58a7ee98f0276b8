"""`flask directory import`."""

from pathlib import Path

from flask import Flask

from tests.provincial_import.samples import small_province, write_csv


def run(app: Flask, *words: str):
    return app.test_cli_runner().invoke(args=["directory", "import", *words])


def test_a_dry_run_then_the_import_then_nothing_left_to_do(app: Flask, clean_database: None, tmp_path: Path):
    source = str(write_csv(tmp_path, small_province()))
    dry = run(app, source, "--dry-run")
    assert dry.exit_code == 0
    assert "Chỉ xem thử" in dry.output
    assert "facilities: +2 ~0 -0 =0" in run(app, source).output
    assert "facilities: +0 ~0 -0 =2" in run(app, source).output


def test_a_refusal_exits_with_one_and_says_where(app: Flask, clean_database: None, tmp_path: Path):
    tables = small_province()
    tables["rosters"][0]["end"] = "12:00"
    answer = run(app, str(write_csv(tmp_path, tables)))
    assert answer.exit_code == 1
    assert "rosters.csv, dòng/row 2, cột/column end, '12:00' [end-before-start]" in answer.output
    assert "vi: Chưa nhập gì cả: có 1 chỗ cần sửa." in answer.output
    assert "en: Nothing was imported: 1 places need correcting." in answer.output
