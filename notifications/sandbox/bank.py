"""A bank of the demonstration: paying by VietQR, and telling the hospital of it as SePay does.

`/bank` is the payer's page: account, amount and words as under the QR code. The transfer
is told, signed, to the webhook of the facility that is named.
"""

import itertools
from datetime import timedelta, timezone
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from notifications.sandbox.desk import Desk, instant

SECRET = "demo-bank-webhook-secret"  # noqa: S105  of the demonstration, whose bank is this one
_VIETNAM = timezone(timedelta(hours=7))
_MOST = 2_000_000_000
_PAGE = """<!doctype html><html lang="vi"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Ngân hàng thử nghiệm</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/_sandbox/inbox.css"></head><body>
<header><div><h1>Ngân hàng thử nghiệm</h1><p>Chuyển tiền giả để thử đặt cọc. Không có tiền thật.
<span lang="en">Pretend transfers to try deposits; no real money.</span></p></div></header><main>
<form method="post" class="empty">{said}
{fields}
<p><button>Chuyển tiền</button></p></form></main></body></html>"""
_FIELDS = (
    ("facility", "Mã cơ sở nhận tiền", "77001"),
    ("account_no", "Số tài khoản nhận", ""),
    ("amount", "Số tiền (đồng)", ""),
    ("content", "Nội dung", ""),
)


def routes(desk: Desk) -> list[Route]:
    numbers = itertools.count(int(instant().timestamp()))
    return [
        Route("/bank", _page(desk, numbers), methods=["GET", "POST"]),
        Route("/_sandbox/bank-transfers", _transfers(desk, numbers), methods=["POST"]),
    ]


def told(number: int, account_no: str, amount: int, content: str) -> dict[str, Any]:
    """What the provider says of a transfer that came in."""
    return {
        "id": number,
        "gateway": "Sandbox",
        "transactionDate": instant().astimezone(_VIETNAM).strftime("%Y-%m-%d %H:%M:%S"),
        "accountNumber": account_no,
        "subAccount": None,
        "code": None,
        "content": f"MBVCB.{number}.{content}.CT tu 0011223344 toi {account_no}",
        "transferType": "in",
        "description": "",
        "transferAmount": amount,
        "accumulated": 0,
        "referenceCode": f"FT{number}",
    }


def _transfers(desk: Desk, numbers: "itertools.count[int]") -> Any:
    async def transfers(request: Request) -> Response:
        """`{facility, account_no, amount, content, number?, forged?}`; a number given again is told again."""
        asked = await request.json()
        number = int(asked.get("number") or next(numbers))
        said = told(number, str(asked["account_no"]), int(asked["amount"]), str(asked["content"]))
        status = await desk.callbacks.bank(str(asked["facility"]), said, instant(), bool(asked.get("forged")))
        return JSONResponse({"number": number, "answer": status})

    return transfers


def _page(desk: Desk, numbers: "itertools.count[int]") -> Any:
    async def page(request: Request) -> Response:
        given: dict[str, str] = {}
        said = ""
        if request.method == "POST":
            form = dict(parse_qsl((await request.body()).decode(errors="replace")))
            given = {name: form.get(name, "").strip() for name, _label, _usual in _FIELDS}
            amount = given["amount"].replace(".", "")
            if amount.isascii() and amount.isdigit() and 0 < int(amount) <= _MOST:
                payment = told(next(numbers), given["account_no"], int(amount), given["content"])
                status = await desk.callbacks.bank(given["facility"], payment, instant(), forged=False)
                said = "Đã chuyển và đã báo." if status == 200 else f"Đã chuyển, nơi nhận trả lời {status}."
            else:
                said = "Số tiền không dùng được."
        return HTMLResponse(_PAGE.format(said=f"<p role='status'>{said}</p>", fields=_inputs(given)))

    return page


def _inputs(given: dict[str, str]) -> str:
    return "".join(
        f"<p><label for='{name}'>{label}</label>"
        f"<input id='{name}' name='{name}' value='{escape(given.get(name, usual), quote=True)}' required></p>"
        for name, label, usual in _FIELDS
    )
