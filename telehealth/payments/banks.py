"""Banks that take part in VietQR, by their NAPAS BIN.

Source: NAPAS's public list of BINs as published with VietQR; the common ones. An account at another bank is
paid to all the same: its BIN is shown instead of a name.
"""

BANKS = {
    "970436": "Vietcombank",
    "970415": "VietinBank",
    "970418": "BIDV",
    "970405": "Agribank",
    "970422": "MB Bank",
    "970407": "Techcombank",
    "970416": "ACB",
    "970432": "VPBank",
    "970423": "TPBank",
    "970403": "Sacombank",
    "970437": "HDBank",
    "970443": "SHB",
    "970441": "VIB",
    "970448": "OCB",
    "970431": "Eximbank",
    "970426": "MSB",
    "970440": "SeABank",
    "970449": "LPBank",
    "970428": "Nam A Bank",
    "970409": "Bac A Bank",
}
