"""Rules become grids."""

from __future__ import annotations

from ndfd.document.grids import find_grids
from ndfd.native import layout
from tests.document.arrays import PageBuilder

XS, YS = [50.0, 150.0, 250.0], [100.0, 120.0, 140.0, 160.0]


def test_crossing_lines_are_a_grid() -> None:
    (grid,) = find_grids(PageBuilder().grid(XS, YS).build())
    assert (grid.rows, grid.columns, len(grid.cells)) == (3, 2, 6)
    assert grid.cells[3].box == (150, 120, 250, 140)


def test_lines_in_pieces_and_doubled_lines_are_one_line() -> None:
    page = PageBuilder()
    for y in YS:
        page.level(y, 50, 151).level(y, 149, 250).level(y + 1.5, 50, 250)
    for x in XS:
        page.upright(x, 100, 130).upright(x, 130, 160)
    (grid,) = find_grids(page.build())
    assert (grid.rows, grid.columns) == (3, 2)


def test_a_missing_piece_makes_a_cell_that_spans() -> None:
    page = PageBuilder().upright(50, 100, 160).upright(250, 100, 160).upright(150, 120, 160)
    for y in YS:
        page.level(y, 50, 250)
    (grid,) = find_grids(page.build())
    assert (grid.cells[0].column_span, len(grid.cells)) == (2, 5)


def test_cells_drawn_as_boxes_are_a_grid() -> None:
    page = PageBuilder()
    for y in (100, 120):
        for x in (50, 150):
            page.box(x, y, x + 100, y + 20)
    (grid,) = find_grids(page.build())
    assert (grid.rows, grid.columns) == (2, 2)


def test_open_sides_are_closed_where_the_lines_end() -> None:
    page = PageBuilder().upright(150, 100, 160)
    for y in YS:
        page.level(y, 50, 250)
    (grid,) = find_grids(page.build())
    assert (grid.columns, grid.box) == (2, (50, 100, 250, 160))


def test_one_box_and_level_lines_alone_are_no_grid() -> None:
    assert find_grids(PageBuilder().box(50, 100, 250, 160).build()) == []
    assert find_grids(PageBuilder().level(100, 50, 250).level(120, 50, 250).level(140, 50, 250).build()) == []


def test_two_tables_are_two_grids_from_top_to_bottom() -> None:
    page = PageBuilder().grid(XS, [400, 420, 440]).grid(XS, YS)
    assert [grid.box[1] for grid in find_grids(page.build())] == [100, 400]


def test_a_drawing_of_thousands_of_lines_is_no_table() -> None:
    page = PageBuilder()
    for i in range(layout.PIECES_MAX):
        page.level(i % 800, 0, 500).upright(i % 600, 0, 700)
    assert find_grids(page.build()) == []
