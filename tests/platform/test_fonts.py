"""Where fonts for Chinese, Japanese and Korean are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.platform.base import Platform

CJK = [
    "DroidSansFallbackFull.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSerifCJK-Bold.ttc",
    "NotoSansCJKjp-Regular.otf",
    "NotoSansKR-Regular.otf",
    "wqy-microhei.ttc",
    "SourceHanSansSC-Regular.otf",
    "SourceHanSerif.ttc",
    "uming.ttc",
    "ukai.ttc",
    "ipag.ttf",
    "ipagp.ttf",
    "ipaexg.ttf",
    "TakaoGothic.ttf",
    "NanumGothic.ttf",
    "nanummyeongjo.ttf",
    "unifont.otf",
    "msyh.ttc",
    "PingFang.ttc",
]
OTHER = ["DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoColorEmoji.ttf", "NotoSansCJK-Regular.ttc.bak", "ipagain.ttf"]


class Made(Platform):
    """A system whose fonts lie where the test put them."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots

    def font_roots(self, home: Path | None) -> tuple[Path, ...]:
        return self._roots if home is None else (*self._roots, home / ".fonts")


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path.parent


@pytest.mark.parametrize("name", CJK)
def test_a_folder_with_a_font_known_to_cover_cjk_is_found(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "truetype" / "some" / name)
    assert Made(tmp_path).fallback_font_dirs() == (folder,)


@pytest.mark.parametrize("name", OTHER)
def test_other_fonts_are_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert Made(tmp_path).fallback_font_dirs() == ()


def test_each_folder_is_named_once_in_the_order_of_the_roots_and_the_users_own_last(tmp_path: Path) -> None:
    home, system, local = tmp_path / "home", tmp_path / "system", tmp_path / "local"
    own = put(home / ".fonts" / "ipag.ttf")
    second = put(system / "b" / "uming.ttc")
    put(system / "b" / "ukai.ttc")
    first = put(system / "a" / "unifont.ttf")
    third = put(local / "wqy-zenhei.ttc")
    assert Made(system, local, tmp_path / "missing").fallback_font_dirs(home) == (first, second, third, own)
