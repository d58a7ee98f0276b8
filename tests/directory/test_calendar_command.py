"""Overriding the calendar from the command line."""

from flask import Flask


def run(app: Flask, *words: str):
    return app.test_cli_runner().invoke(args=["directory", "calendar", *words])


def test_an_override_is_shown_and_taken_back(app: Flask, clean_database: None):
    assert run(app, "set", "2026-12-05", "works-like", "--like", "MO", "--note", "Làm bù").exit_code == 0
    shown = run(app, "show", "--from", "2026-12-01", "--days", "30").output
    assert "2026-12-05 SA works-like MO Làm bù" in shown
    assert run(app, "clear", "05/12/2026").exit_code == 0
    assert "2026-12-05" not in run(app, "show", "--from", "2026-12-01", "--days", "30").output
    assert run(app, "clear", "2026-12-05").exit_code == 1


def test_the_national_calendar_is_shown(app: Flask, clean_database: None):
    shown = run(app, "show", "--from", "2026-11-01", "--days", "30").output
    assert "2026-11-24 TU holiday  Ngày Văn hóa Việt Nam" in shown


def test_odd_overrides_are_refused(app: Flask, clean_database: None):
    assert run(app, "set", "2026-12-05", "works-like").exit_code == 1
    assert run(app, "set", "2026-12-05", "holiday", "--like", "MO").exit_code == 1
    assert run(app, "set", "2026-12-05", "holiday", "--facility", "77999").exit_code == 1
    assert run(app, "set", "someday", "holiday").exit_code == 2
