"""What a field is called, said in the summary of errors above the form it stands in."""

import re

from markupsafe import Markup, escape

from telehealth.core.text import search_form

_LINE = re.compile(r'<a href="#([^"]+)" data-names>(.*?)</a>', re.DOTALL)
_OPTIONAL = re.compile(r'<span class="th-optional">.*?</span>', re.DOTALL)
_LONGEST_NAME = 60


def name_errors(content: str) -> Markup:
    """Return a page's content in which each line of its error summary names its field and leads to it.

    The name is the field's own label, so that no form says it twice. A message that says it already stays,
    and one whose field is not on the page becomes plain words.
    """
    if "data-names" not in content:
        return Markup(content)  # noqa: S704  a page rendered with escaping on
    return Markup(_LINE.sub(lambda line: _named(line[1], line[2], content), content))  # noqa: S704  the same


def _named(field: str, message: str, content: str) -> str:
    target = _target(field, content)
    name = _label(field, target or field, content)
    words = message if name is None or _says(message, name) else f"{escape(_before(name))} {message}"
    return words if target is None else f'<a href="#{target}">{words}</a>'


def _target(field: str, content: str) -> str | None:
    """Return the id of the control: the field's name, or that of the control sent under this name."""
    if f' id="{field}"' in content:
        return field
    control = re.search(rf'<(?:input|select|textarea)\b[^>]* name="{re.escape(field)}"[^>]*>', content)
    own = re.search(r' id="([^"]+)"', control[0]) if control else None
    return own[1] if own else None


def _label(field: str, target: str, content: str) -> str | None:
    """Return the words of the label, of the legend of the set it stands in, or of its aria-label."""
    ways = (
        rf'<label\b[^>]* for="{re.escape(target)}"[^>]*>(.*?)</label>',
        rf"<fieldset\b[^>]*(?<![\w-]){re.escape(field)}-error\b[^>]*>\s*<legend[^>]*>(.*?)</legend>",
        rf'<(?:input|select|textarea)\b(?=[^>]* id="{re.escape(target)}")[^>]* aria-label="([^"]+)"',
    )
    found = next((each for way in ways if (each := re.search(way, content, re.DOTALL))), None)
    name = Markup(_OPTIONAL.sub("", found[1])).striptags() if found else ""  # noqa: S704  of the same page
    return name if 0 < len(name) <= _LONGEST_NAME else None


def _says(message: str, name: str) -> bool:
    return search_form(name.rstrip("?:.* ")) in search_form(Markup(message).striptags())  # noqa: S704


def _before(name: str) -> str:
    return name if name.endswith(("?", ":")) else f"{name}:"
