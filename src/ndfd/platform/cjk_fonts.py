"""Which font files hold Chinese, Japanese and Korean text, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(names)}).*\.(?:tt[cf]|ot[cf]|dfont)\Z", re.IGNORECASE)


#: Beginnings of the file names of fonts that are known to cover CJK, as distributions and vendors ship them.
CJK_FONT = _pattern(
    (
        "DroidSansFallback",
        r"Noto(?:Sans|Serif)(?:Mono)?(?:CJK|SC|TC|HK|JP|KR)",
        r"SourceHan(?:Sans|Serif|Mono)",
        "wqy-",
        "uming",
        "ukai",
        r"ipa[gm](?:p|ui)?(?=\.)",
        "ipaex",
        "Takao",
        r"VL-(?:P)?Gothic",
        "Nanum",
        "Baekmuk",
        "UnBatang",
        "unifont",
        # macOS
        "PingFang",
        "Hiragino",
        "ヒラギノ",
        "STHeiti",
        "Songti",
        "AppleSDGothicNeo",
        "AppleGothic",
        "Arial Unicode",
        # Windows
        "msyh",
        "simsun",
        "simhei",
        "msjh",
        "mingliu",
        "msgothic",
        "msmincho",
        "meiryo",
        "YuGoth",
        "malgun",
        "batang",
        "gulim",
    )
)
