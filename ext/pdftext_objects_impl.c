/* Rules and images of a page: path and image objects, down into form XObjects. */
#include "pdftext_impl.h"

#include <math.h>
#include <string.h>

/* Maps and drawings hold a million paths; a table holds some hundred. */
enum { OBJECTS_MAX = 20000, SEGMENTS_MAX = 200000, PATH_SEGMENTS_MAX = 4096, FORM_DEPTH_MAX = 16 };
enum { OBJECT_PATH = 2, OBJECT_IMAGE = 3, OBJECT_FORM = 5 }; /* FPDF_PAGEOBJ_* */
enum { SEGMENT_BEZIER = 1, SEGMENT_MOVE = 2 };               /* FPDF_SEGMENT_* */

/* A line may be this far off level, in points, and a box this thin still counts as a line. */
#define LEVEL_TOLERANCE 0.5
#define THIN_MAX 3.0
#define SHORT_MIN 1.0

typedef struct { double x, y; int curved; } point; /* curved: whether the edge that ends here is */

/* How a path is painted. */
typedef struct { int stroked, filled; float width; uint32_t stroke_colour, fill_colour; } pen;

/* 0xRRGGBBAA; opaque black where PDFium has no answer (a pattern). */
uint32_t nd_colour(int (ND_CALL *call)(nd_handle, unsigned *, unsigned *, unsigned *, unsigned *), nd_handle object) {
    unsigned r, g, b, a;
    if (!call(object, &r, &g, &b, &a))
        return 0x000000FF;
    return (r & 0xFF) << 24 | (g & 0xFF) << 16 | (b & 0xFF) << 8 | (a & 0xFF);
}

static int outside(const nd_document *document, nd_box box) {
    return box.x1 < 0 || box.y1 < 0 || box.x0 > document->width || box.y0 > document->height;
}

static int add_rule(nd_document *document, uint8_t kind, nd_box box, double width, uint32_t colour) {
    if (outside(document, box))
        return ND_OK;
    nd_rule *rule = nd_push(&document->rules, sizeof *rule, 1);
    if (!rule)
        return ND_NO_MEMORY;
    nd_store_box(rule->box, box);
    rule->kind = kind;
    rule->width = (float)width;
    rule->colour = colour;
    return ND_OK;
}

static int add_rectangle(nd_document *document, nd_box box, const pen *p) {
    double width = box.x1 - box.x0, height = box.y1 - box.y0;
    uint32_t colour = p->stroked ? p->stroke_colour : p->fill_colour;
    if (width < SHORT_MIN && height < SHORT_MIN)
        return ND_OK;
    if (height <= THIN_MAX && width >= 3 * height)
        return add_rule(document, ND_RULE_HORIZONTAL, box, p->stroked ? p->width : height, colour);
    if (width <= THIN_MAX && height >= 3 * width)
        return add_rule(document, ND_RULE_VERTICAL, box, p->stroked ? p->width : width, colour);
    if (p->stroked)
        return add_rule(document, ND_RULE_BOX, box, p->width, colour);
    return add_rule(document, ND_RULE_FILL, box, 0, colour);
}

static int add_line(nd_document *document, const point *a, const point *b, const pen *p) {
    nd_box box = nd_box_of(a->x, a->y, b->x, b->y);
    double width = box.x1 - box.x0, height = box.y1 - box.y0;
    if (height <= LEVEL_TOLERANCE && width >= SHORT_MIN && width >= 3 * height)
        return add_rule(document, ND_RULE_HORIZONTAL, box, p->width, p->stroke_colour);
    if (width <= LEVEL_TOLERANCE && height >= SHORT_MIN && height >= 3 * width)
        return add_rule(document, ND_RULE_VERTICAL, box, p->width, p->stroke_colour);
    return ND_OK;
}

static int level(const point *a, const point *b) { return fabs(a->y - b->y) <= LEVEL_TOLERANCE; }
static int upright(const point *a, const point *b) { return fabs(a->x - b->x) <= LEVEL_TOLERANCE; }
static int same(const point *a, const point *b) { return fabs(a->x - b->x) < 0.01 && fabs(a->y - b->y) < 0.01; }

static int is_rectangle(const point *p) {
    if (p[1].curved || p[2].curved || p[3].curved)
        return 0;
    return (level(p, p + 1) && upright(p + 1, p + 2) && level(p + 2, p + 3) && upright(p + 3, p)) ||
           (upright(p, p + 1) && level(p + 1, p + 2) && upright(p + 2, p + 3) && level(p + 3, p));
}

static int end_subpath(nd_document *document, int closed, const pen *p) {
    const point *points = (const point *)document->points.data;
    size_t count = document->points.count;
    int closing_curve = 0;
    document->points.count = 0;
    if (count < 2)
        return ND_OK;
    if (count > 2 && same(&points[0], &points[count - 1])) {
        closed = 1;
        closing_curve = points[--count].curved;
    }
    if (count == 4 && (closed || p->filled) && !closing_curve && is_rectangle(points))
        return add_rectangle(document, nd_box_of(points[0].x, points[0].y, points[2].x, points[2].y), p);
    if (!p->stroked)
        return ND_OK;
    for (size_t i = 1; i < count; i++)
        if (!points[i].curved && add_line(document, &points[i - 1], &points[i], p) != ND_OK)
            return ND_NO_MEMORY;
    if (closed && count > 2 && !closing_curve)
        return add_line(document, &points[count - 1], &points[0], p);
    return ND_OK;
}

static int find_pen(nd_handle object, const nd_matrix *matrix, pen *p) {
    int fill = 0, stroke = 0;
    float width = 0;
    if (!nd_pdfium.FPDFPath_GetDrawMode(object, &fill, &stroke) || (!fill && !stroke))
        return 0;
    if (stroke)
        nd_pdfium.FPDFPageObj_GetStrokeWidth(object, &width);
    double scale = sqrt(fabs(matrix->a * matrix->d - matrix->b * matrix->c));
    p->stroked = stroke != 0;
    p->filled = fill != 0;
    p->width = (float)(width * scale);
    p->stroke_colour = stroke ? nd_colour(nd_pdfium.FPDFPageObj_GetStrokeColor, object) : 0;
    p->fill_colour = fill ? nd_colour(nd_pdfium.FPDFPageObj_GetFillColor, object) : 0;
    return 1;
}

static int read_path(nd_document *document, nd_handle object, const nd_matrix *matrix) {
    int count = nd_pdfium.FPDFPath_CountSegments(object), closed = 0;
    uint32_t segments = count > 0 ? (uint32_t)count : 0;
    if (segments > PATH_SEGMENTS_MAX || document->segments + segments > SEGMENTS_MAX) {
        document->paths_skipped++;
        return ND_OK;
    }
    pen p;
    if (!find_pen(object, matrix, &p))
        return ND_OK;
    document->segments += segments;
    document->points.count = 0;
    for (int i = 0; i < count; i++) {
        nd_handle segment = nd_pdfium.FPDFPath_GetPathSegment(object, i);
        float x, y;
        if (!nd_pdfium.FPDFPathSegment_GetPoint(segment, &x, &y))
            continue;
        int kind = nd_pdfium.FPDFPathSegment_GetType(segment);
        if (kind == SEGMENT_MOVE) {
            if (end_subpath(document, closed, &p) != ND_OK)
                return ND_NO_MEMORY;
            closed = 0;
        }
        point *added = nd_push(&document->points, sizeof *added, 1);
        if (!added)
            return ND_NO_MEMORY;
        *added = (point){nd_x(matrix, x, y), nd_y(matrix, x, y), kind == SEGMENT_BEZIER};
        closed |= nd_pdfium.FPDFPathSegment_GetClose(segment) != 0;
    }
    return end_subpath(document, closed, &p);
}

static int read_image(nd_document *document, nd_handle object, const nd_matrix *m) {
    double x0 = nd_x(m, 0, 0), y0 = nd_y(m, 0, 0), x1 = x0, y1 = y0;
    static const double corners[3][2] = {{1, 0}, {0, 1}, {1, 1}};
    for (int i = 0; i < 3; i++) {
        double x = nd_x(m, corners[i][0], corners[i][1]), y = nd_y(m, corners[i][0], corners[i][1]);
        x0 = x < x0 ? x : x0;
        y0 = y < y0 ? y : y0;
        x1 = x > x1 ? x : x1;
        y1 = y > y1 ? y : y1;
    }
    nd_box box = nd_box_of(x0, y0, x1, y1);
    if (outside(document, box))
        return ND_OK;
    nd_image *image = nd_push(&document->images, sizeof *image, 1);
    if (!image)
        return ND_NO_MEMORY;
    nd_store_box(image->box, box);
    image->pixels[0] = image->pixels[1] = 0;
    unsigned width = 0, height = 0;
    nd_pdfium.FPDFImageObj_GetImagePixelSize(object, &width, &height);
    image->pixels[0] = width;
    image->pixels[1] = height;
    return ND_OK;
}

static nd_matrix then(const nd_matrixf *m, const nd_matrix *outer) {
    double a = m->a, b = m->b, c = m->c, d = m->d, e = m->e, f = m->f;
    return (nd_matrix){a * outer->a + b * outer->c, a * outer->b + b * outer->d,
                       c * outer->a + d * outer->c, c * outer->b + d * outer->d,
                       e * outer->a + f * outer->c + outer->e, e * outer->b + f * outer->d + outer->f};
}

static int read_object(nd_document *document, nd_handle object, const nd_matrix *outer, int depth) {
    int kind = nd_pdfium.FPDFPageObj_GetType(object);
    if (kind != OBJECT_PATH && kind != OBJECT_IMAGE && kind != OBJECT_FORM)
        return ND_OK;
    if (document->looked_at >= OBJECTS_MAX) {
        document->paths_skipped += kind == OBJECT_PATH;
        return ND_OK;
    }
    document->looked_at++;
    nd_matrixf own;
    if (!nd_pdfium.FPDFPageObj_GetMatrix(object, &own))
        return ND_OK;
    nd_matrix inner = then(&own, outer);
    if (kind == OBJECT_PATH)
        return read_path(document, object, &inner);
    if (kind == OBJECT_IMAGE)
        return read_image(document, object, &inner);
    if (depth >= FORM_DEPTH_MAX)
        return ND_OK;
    int count = nd_pdfium.FPDFFormObj_CountObjects(object);
    for (int i = 0; i < count; i++)
        if (read_object(document, nd_pdfium.FPDFFormObj_GetObject(object, (unsigned long)i), &inner, depth + 1) != ND_OK)
            return ND_NO_MEMORY;
    return ND_OK;
}

static nd_matrix matrix_of(const nd_frame *f) {
    return f->swap ? (nd_matrix){0, f->sy, f->sx, 0, f->ox, f->oy} : (nd_matrix){f->sx, 0, 0, f->sy, f->ox, f->oy};
}

int nd_read_objects(nd_document *document, nd_handle page) {
    nd_matrix frame = matrix_of(&document->frame);
    document->looked_at = document->segments = document->paths_skipped = 0;
    int count = nd_pdfium.FPDFPage_CountObjects(page);
    for (int i = 0; i < count; i++)
        if (read_object(document, nd_pdfium.FPDFPage_GetObject(page, i), &frame, 0) != ND_OK)
            return ND_NO_MEMORY;
    return ND_OK;
}
