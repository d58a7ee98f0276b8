"""The summary of errors says which field is meant, and leads to it."""

import pytest
from markupsafe import Markup

from telehealth.web.naming import name_errors

INPUT = (
    '<label class="x" for="phone">Điện thoại <span class="th-optional">(không bắt buộc)</span></label>'
    '<input id="phone" name="phone">'
)
SELECT = '<label class="x" for="s-1">Dịch vụ</label><select class="x" id="s-1" name="service"></select>'
CHOICES = (
    '<fieldset class="nhsuk-fieldset" aria-describedby="who-hint who-error">\n'
    ' <legend class="x"><h1>Khám cho ai?</h1></legend><input id="who" name="who" type="radio"></fieldset>'
)
BARE = '<input class="x" aria-label="Mã &amp; số" id="code" name="code">'


def summary(field: str, message: str = "Chưa có thông tin này.") -> str:
    return f'<li><a href="#{field}" data-names>{message}</a></li>'


@pytest.mark.parametrize(
    ("field", "control", "line"),
    [
        ("phone", INPUT, '<a href="#phone">Điện thoại: Chưa có thông tin này.</a>'),
        ("service", SELECT, '<a href="#s-1">Dịch vụ: Chưa có thông tin này.</a>'),
        ("who", CHOICES, '<a href="#who">Khám cho ai? Chưa có thông tin này.</a>'),
        ("code", BARE, '<a href="#code">Mã &amp; số: Chưa có thông tin này.</a>'),
        ("nowhere", INPUT, "<li>Chưa có thông tin này.</li>"),
    ],
)
def test_a_line_names_its_field_by_its_own_label_and_leads_to_the_control(
    field: str, control: str, line: str
):
    assert line in name_errors(summary(field) + control)


def test_a_message_that_says_the_name_already_is_left_as_it_is():
    page = name_errors(summary("phone", "Số điện thoại chưa đúng.") + INPUT)
    assert '<a href="#phone">Số điện thoại chưa đúng.</a>' in page


def test_words_of_people_stay_escaped():
    label = INPUT.replace("Điện thoại", "&lt;script&gt;")
    page = name_errors(summary("phone", "&lt;b&gt;") + label)
    assert '<a href="#phone">&lt;script&gt;: &lt;b&gt;</a>' in page
    assert isinstance(page, Markup)


def test_a_page_without_a_summary_is_left_alone():
    assert name_errors(Markup(INPUT)) == INPUT
