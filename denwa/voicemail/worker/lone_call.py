"""A call that ends where it was answered: nobody can make a worker call anywhere."""

from __future__ import annotations

from typing import Any

import pjsua2 as pj

DECLINED = 603


class LoneCall(pj.Call):
    """Without this the library accepts a REFER (RFC 3515) and calls whatever it names."""

    def onCallTransferRequest(self, prm: Any) -> None:
        prm.statusCode = DECLINED

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = DECLINED
