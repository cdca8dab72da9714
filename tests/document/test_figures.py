"""Images become figure blocks."""

from __future__ import annotations

from tests.document.arrays import PROSE, PageBuilder
from tests.document.drafts import read


def kinds(page: PageBuilder) -> list[str]:
    return [draft.kind.value for draft in read(page).blocks]


def test_a_figure_stands_between_the_text_above_and_below_it() -> None:
    page = PageBuilder().lines(50, 100, *PROSE).image(50, 200, 300, 400).lines(50, 450, *PROSE)
    assert kinds(page) == ["paragraph", "figure", "paragraph"]


def test_ornament_and_background_are_no_figures() -> None:
    page = PageBuilder().image(50, 50, 60, 60).image(0, 0, 600, 800).lines(50, 100, *PROSE)
    assert kinds(page) == ["paragraph"]


def test_every_image_is_recorded_with_its_size_in_pixels() -> None:
    (image,) = read(PageBuilder().image(50, 50, 60, 60)).images
    assert (image.bbox, image.width_px, image.height_px) == ((50, 50, 60, 60), 100, 100)
