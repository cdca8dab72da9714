"""Grids and rows with gaps become tables."""

from __future__ import annotations

from ndfd.document.draft import Draft
from ndfd.model.document import BlockKind
from tests.document.arrays import PageBuilder
from tests.document.drafts import read

ROWS = (("Fruit", "Kilos"), ("Apples", "12"), ("Pears", "7"))


def tables(page: PageBuilder) -> list[Draft]:
    return [draft for draft in read(page).blocks if draft.kind is BlockKind.TABLE]


def test_a_ruled_table_is_filled_by_where_its_words_stand() -> None:
    page = PageBuilder().grid([50, 150, 250], [100, 120, 140, 160])
    for i, row in enumerate(ROWS):
        for j, text in enumerate(row):
            page.line(55 + 100 * j, 114 + 20 * i, text)
    (table,) = tables(page)
    assert table.text == "Fruit\tKilos\nApples\t12\nPears\t7"
    assert table.table is not None
    assert [cell.header for cell in table.table.cells[:3]] == [True, True, False]


def test_words_of_neighbouring_cells_are_never_fused() -> None:
    page = PageBuilder().grid([50, 75, 100], [100, 120, 140]).line(50, 114, "12345").line(75, 114, "67890")
    page.line(50, 134, "a").line(75, 134, "b")
    assert tables(page)[0].text == "12345\t67890\na\tb"


def test_lines_of_one_cell_are_joined() -> None:
    page = PageBuilder().grid([50, 150, 250], [100, 130, 160]).lines(55, 112, "two", "lines").line(155, 112, "x")
    page.line(55, 142, "y").line(155, 142, "z")
    assert tables(page)[0].text == "two lines\tx\ny\tz"


def test_a_table_stands_in_the_reading_order_where_it_stands_on_the_page() -> None:
    page = PageBuilder().line(50, 60, "Before").line(50, 300, "After").grid([50, 150, 250], [100, 120, 140, 160])
    for i, row in enumerate(ROWS):
        page.line(55, 114 + 20 * i, row[0]).line(155, 114 + 20 * i, row[1])
    assert [draft.kind.value for draft in read(page).blocks] == ["paragraph", "table", "paragraph"]


def test_a_grid_with_next_to_no_text_is_a_chart_and_its_text_is_kept() -> None:
    page = PageBuilder().grid([50 + 20.0 * i for i in range(10)], [100 + 20.0 * i for i in range(10)])
    page.line(55, 112, "max")
    assert [draft.text for draft in read(page).blocks] == ["max"]
    assert tables(page) == []


def test_rows_with_aligned_gaps_are_a_table() -> None:
    page = PageBuilder()
    for i, (name, weight) in enumerate((*ROWS, ("Plums", "40"))):
        page.line(50, 100 + 14 * i, name).line(250, 100 + 14 * i, weight)
    (table,) = tables(page)
    assert table.text == "Fruit\tKilos\nApples\t12\nPears\t7\nPlums\t40"
    assert table.confidence < 0.9


def test_a_heading_over_two_columns_spans_them() -> None:
    page = PageBuilder().line(50, 100, "Name").line(150, 100, "both of the columns here")
    for i in range(8):
        page.line(50, 114 + 14 * i, f"row {i}").line(150, 114 + 14 * i, "10.5").line(250, 114 + 14 * i, "20.5")
    (table,) = tables(page)
    assert table.table is not None
    assert [cell.column_span for cell in table.table.cells[:2]] == [1, 2]


def test_rows_whose_gaps_do_not_align_are_left_as_lines() -> None:
    page = PageBuilder()
    for i, x in enumerate((100, 180, 260, 340)):
        page.line(50, 100 + 14 * i, "x" * ((x - 70) // 5)).line(x, 100 + 14 * i, "y" * ((480 - x) // 5))
    assert tables(page) == []
    assert sum(draft.text.count("y") for draft in read(page).blocks) == sum(
        (480 - x) // 5 for x in (100, 180, 260, 340)
    )


def test_rows_that_are_not_ruled_apart_are_parted_where_a_column_holds_figures() -> None:
    page = PageBuilder().grid([50, 150, 250], [100, 120, 170])
    page.line(55, 114, "Fruit").line(155, 114, "Kilos")
    page.lines(55, 132, "Apples", "Pears", "Plums").lines(155, 132, "12", "7", "40")
    assert tables(page)[0].text == "Fruit\tKilos\nApples\t12\nPears\t7\nPlums\t40"


def test_wrapped_text_in_two_cells_is_one_row() -> None:
    page = PageBuilder().grid([50, 250, 450], [100, 120, 170])
    page.line(55, 114, "Fruit").line(255, 114, "Use")
    page.lines(55, 132, "An apple of a kind that", "is red and").lines(
        255, 132, "is eaten as it is or", "cooked with sugar"
    )
    assert tables(page)[0].text.count("\n") == 1


def test_a_grid_that_leaves_out_columns_gives_way_to_the_gaps_between_them() -> None:
    page = PageBuilder().grid([50, 150, 450], [100, 120, 180])
    for i, row in enumerate((("Fruit", "May", "June", "July"), *((f"Kind {i}", "12", "7", "40") for i in range(4)))):
        for x, text in zip((55, 155, 255, 355), row, strict=True):
            page.line(x, 114 + 14 * i, text)
    (table,) = tables(page)
    assert table.table is not None
    assert (table.table.rows, table.table.columns) == (5, 4)
