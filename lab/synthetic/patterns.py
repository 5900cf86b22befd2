"""Regular surfaces: one motif repeated over the whole image.

Every function has the signature of `Surface`: what it draws from `design` belongs to the product and is the same in all its
images, what it draws from `piece` is one image's own.
"""

from collections.abc import Callable

import numpy as np

from lab.synthetic.layers import Colour, ColourField, Layers, clip, colour, kin, mix
from lab.synthetic.plane import Field, Plane, fractal, noise, norm, smoothstep, streaks, wrap
from lab.synthetic.rng import Rng

Surface = Callable[[Rng, Rng, Plane], Layers]

TAU = 2 * np.pi


def lay(design: Rng, piece: Rng, on: Plane, sway: float = 1.0) -> tuple[Field, Field]:
    """Coordinates along and across the motif: mostly upright, seldom oblique; shifted and swayed a little each time."""
    upright = design.pick([0.0, np.pi / 2]) + design.normal(0.02)
    angle = upright if design.chance(0.6) else design.uniform(0, np.pi)
    u, v = on.posed(angle + piece.normal(0.015), *piece.point(60))
    sway *= design.uniform(0.1, 1.2)
    return u + sway * noise(piece, on, 70), v + sway * noise(piece, on, 70)


def stack(
    albedo: ColourField,
    height: Field,
    on: Plane,
    *,
    gloss: float,
    metal: float,
    cover: Field | None = None,
    behind: Colour | None = None,
) -> Layers:
    """Layers of an endless surface; `behind` shows where `cover` is 0 and where a defect opens the surface."""
    backdrop = np.empty((3, *on.shape), np.float32)
    backdrop[:] = 0.03 if behind is None else behind
    return Layers(
        albedo=np.asarray(clip(albedo), np.float32),
        height=np.asarray(height, np.float32),
        gloss=np.full(on.shape, gloss, np.float32),
        cover=np.ones_like(on.x) if cover is None else np.asarray(cover, np.float32),
        backdrop=backdrop,
        metal=metal,
    )


def per_index(rng: Rng, index: Field, spread: float) -> Field:
    """A factor about 1 for every whole number in `index`, so that threads and tiles differ a little."""
    table = 1 + spread * rng.normals(97)
    return table[np.asarray(index, np.int32) % 97]


def _fraction(t: Field) -> tuple[Field, Field]:
    whole = np.floor(t)
    return whole, t - whole


def woven(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Cloth of two threads: plain, twill or satin weave."""
    pitch = design.uniform(5, 15)
    u, v = lay(design, piece, on)
    i, fu = _fraction(u / pitch)
    j, fv = _fraction(v / pitch)
    step, period, under = design.pick([(1, 2, 1), (1, 4, 2), (2, 5, 1)], p=[0.5, 0.3, 0.2])
    over = wrap(i + step * j, period) < under
    pu, pv = np.sin(fu * TAU / 2), np.sin(fv * TAU / 2)
    relief = np.where(over, pu * (0.4 + 0.6 * pv), pv * (0.4 + 0.6 * pu))
    warp = colour(design)
    weft = kin(design, warp, 0.4) if design.chance(0.7) else colour(design)
    spread = design.uniform(0.01, 0.08)
    gain = np.where(over, per_index(piece, i, spread), per_index(piece, j, spread))
    twist = design.uniform(0, 0.25) * np.sin((fu + fv + 3 * np.where(over, fv, fu)) * TAU)
    fibre = design.uniform(0.02, 0.12) * fractal(piece, on, 4, 2)
    shade = (0.35 + 0.65 * relief) * gain * (1 + twist * relief + fibre)
    albedo = np.where(over, warp, weft) * shade
    return stack(albedo, relief * pitch * design.uniform(0.1, 0.3), on, gloss=design.uniform(0, 0.05), metal=0)


def knitted(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Knitwear: columns of V-shaped stitches."""
    wide, high = design.uniform(9, 22), design.uniform(6, 14)
    u, v = lay(design, piece, on, 1.5)
    column, fu = _fraction(u / wide)
    leg = np.abs(2 * fu - 1)
    row, fv = _fraction(v / high + design.uniform(0.5, 1.1) * leg)
    across = np.sin(np.abs(wrap(2 * fu, 1)) * TAU / 2)
    relief = across**0.7 * np.sin(fv * TAU / 2) ** 0.6
    yarn = colour(design)
    stripe = kin(design, yarn, 0.6) if design.chance(0.4) else yarn
    banded = wrap(row, design.whole(4, 11)) < 2
    gain = per_index(piece, row + 13 * column, design.uniform(0.02, 0.07)) * (1 + 0.06 * fractal(piece, on, 4, 2))
    albedo = np.where(banded, stripe, yarn) * ((0.3 + 0.7 * relief) * gain)
    return stack(albedo, relief * design.uniform(0.8, 2.5), on, gloss=0.01, metal=0)


def mesh(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Wires crossing over and under each other, with the backdrop in the openings."""
    pitch = design.uniform(10, 30)
    radius = pitch * design.uniform(0.1, 0.26)
    u, v = lay(design, piece, on, 0.8)
    if design.chance(0.3):
        u, v = u + 0.5 * v, v - 0.5 * u
    i, fu = _fraction(u / pitch)
    j, fv = _fraction(v / pitch)
    du, dv = np.abs(fu - 0.5) * pitch, np.abs(fv - 0.5) * pitch
    wave = np.where(wrap(i + j, 2) < 1, 1, -1) * radius * 0.5
    zu = np.sqrt(np.maximum(radius**2 - du**2, 0)) + wave
    zv = np.sqrt(np.maximum(radius**2 - dv**2, 0)) - wave
    cover = smoothstep(0.6, -0.6, np.minimum(du, dv) - radius)
    wire, metal = colour(design, 0.15, 0.8), float(design.pick([0.0, 0.5]))
    on_u = (du < radius) & ((dv >= radius) | (zu > zv))
    gain = np.where(on_u, per_index(piece, i, 0.03), per_index(piece, j, 0.03)) * (1 + 0.04 * fractal(piece, on, 6, 2))
    height = np.where(on_u, zu, np.where(dv < radius, zv, 0))
    behind = np.full((3, 1, 1), design.pick([0.02, 0.1, 0.5, 0.9]), np.float32)
    return stack(wire * gain, height, on, gloss=design.uniform(0, 0.15), metal=metal, cover=cover, behind=behind)


def perforated(design: Rng, piece: Rng, on: Plane) -> Layers:
    """A sheet with rows of round, square or long holes, open or blind."""
    pitch = design.uniform(14, 38)
    u, v = lay(design, piece, on, 0.2)
    j, fv = _fraction(v / pitch)
    stagger = 0.5 * wrap(j, 2) if design.chance(0.5) else 0
    _, fu = _fraction(u / pitch + stagger)
    x, y = (fu - 0.5) * pitch, (fv - 0.5) * pitch
    radius = pitch * design.uniform(0.16, 0.36)
    roundness = design.pick([0.0, 1.0], p=[0.3, 0.7]) * radius
    stretch = radius * design.pick([0.0, 0.5], p=[0.75, 0.25])
    qx = np.maximum(np.abs(x) - (radius - roundness), 0)
    qy = np.maximum(np.abs(y) - (radius - roundness - stretch), 0)
    outside = norm(qx, qy) - roundness
    open_hole = design.chance(0.7)
    rim = smoothstep(2.5, 0.0, np.abs(outside)) * design.uniform(-0.6, 0.6)
    depth = 0 if open_hole else -design.uniform(1.5, 4) * smoothstep(0.5, -2.0, outside)
    sheet = colour(design, 0.15)
    texture = 1 + design.uniform(0.01, 0.06) * fractal(piece, on, design.uniform(2, 12), 3)
    cover = smoothstep(-0.6, 0.6, outside) if open_hole else None
    behind = np.full((3, 1, 1), design.pick([0.02, 0.15, 0.9]), np.float32)
    return stack(
        sheet * texture,
        rim + depth,
        on,
        gloss=design.uniform(0, 0.2),
        metal=design.pick([0.0, 0.5]),
        cover=cover,
        behind=behind,
    )


def striped(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Printed stripes of two or three colours and uneven widths."""
    pitch = design.uniform(10, 50)
    u, _ = lay(design, piece, on, 0.7)
    _, f = _fraction(u / pitch)
    base = colour(design)
    edge = 1.0 / pitch
    stops = np.sort(design.uniforms(0.1, 0.95, design.whole(1, 3)))
    albedo: ColourField = base
    for stop in stops:
        ink = kin(design, base, 1.2) if design.chance(0.6) else colour(design)
        albedo = mix(albedo, ink, smoothstep(stop - edge, stop + edge, f) * smoothstep(1, 1 - 2 * edge, f))
    grain = 1 + design.uniform(0.01, 0.07) * fractal(piece, on, design.uniform(2, 10), 3)
    relief = design.uniform(0, 0.3) * fractal(piece, on, design.uniform(4, 12), 2)
    return stack(albedo * grain, relief, on, gloss=design.uniform(0, 0.1), metal=0)


def checkered(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Square or oblong fields in two tones with joints between them."""
    pitch = design.uniform(16, 60)
    aspect = design.pick([1.0, 0.5], p=[0.6, 0.4])
    u, v = lay(design, piece, on, 0.3)
    j, fv = _fraction(v / (pitch * aspect))
    shift = 0.5 * wrap(j, 2) if aspect < 1 else 0
    i, fu = _fraction(u / pitch + shift)
    joint = np.minimum(np.minimum(fu, 1 - fu) * pitch, np.minimum(fv, 1 - fv) * pitch * aspect)
    width = design.uniform(0.5, 2.0)
    face = smoothstep(width - 0.6, width + 0.8, joint)
    light_field = colour(design, 0.15)
    dark_field = kin(design, light_field, design.pick([0.05, 1.0]))
    odd = wrap(i + j, 2) < 1
    gain = per_index(piece, i + 31 * j, design.uniform(0.0, 0.08)) * (1 + 0.04 * fractal(piece, on, 16, 4, 0.7))
    albedo = np.where(odd, light_field, dark_field) * gain
    albedo = mix(kin(design, light_field, 0.9) * 0.7, albedo, face)
    return stack(albedo, face * design.uniform(0.3, 1.5), on, gloss=design.uniform(0, 0.25), metal=0)


def cross_hatched(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Two families of fine ground lines that cross at an angle."""
    first = design.uniform(0, np.pi)
    second = first + design.uniform(0.5, 1.6)
    across = design.uniform(1.6, 4)
    lines = [streaks(piece, on, a + piece.normal(0.01), across, design.uniform(60, 200)) for a in (first, second)]
    relief = np.maximum(*lines) if design.chance(0.5) else lines[0] + lines[1]
    base = colour(design, 0.2)
    tone = 1 + design.uniform(0.04, 0.14) * relief + 0.03 * fractal(piece, on, 60, 3)
    depth = design.uniform(0.05, 0.3)
    return stack(base * tone, relief * depth, on, gloss=design.uniform(0, 0.1), metal=design.uniform(0.2, 0.8))


def rippled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Waves of one wavelength, straight or wandering, some with a second wave across."""
    pitch = design.uniform(8, 40)
    u, v = lay(design, piece, on, design.pick([1.0, 6.0]))
    wave = np.sin(u / pitch * TAU)
    if design.chance(0.4):
        wave = wave + np.sin(v / pitch * TAU * design.uniform(0.4, 1.2) + wave)
    base = colour(design, 0.12)
    tone = 1 + design.uniform(0, 0.1) * wave + design.uniform(0.01, 0.04) * fractal(piece, on, 5, 3)
    height = wave * pitch * design.uniform(0.015, 0.06)
    return stack(base * tone, height, on, gloss=design.uniform(0, 0.2), metal=design.uniform(0, 0.6))


def corrugated(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Parallel ribs: round, flat-topped or saw-toothed."""
    pitch = design.uniform(14, 48)
    u, _ = lay(design, piece, on, 0.3)
    i, f = _fraction(u / pitch)
    form = design.whole(0, 2)
    if form == 0:
        rib = np.sqrt(np.maximum(1 - (2 * f - 1) ** 2, 0.0))
    elif form == 1:
        rib = smoothstep(0.05, 0.25, f) * smoothstep(0.75, 0.55, f)
    else:
        rib = np.minimum(f / 0.8, (1 - f) / 0.2)
    base = colour(design, 0.12)
    fine = streaks(piece, on, design.uniform(0, np.pi), 2, 40) * design.uniform(0, 0.06)
    tone = (0.7 + 0.3 * rib) * per_index(piece, i, 0.02) * (1 + fine + 0.03 * fractal(piece, on, 8, 3))
    height = rib * pitch * design.uniform(0.05, 0.2)
    return stack(base * tone, height, on, gloss=design.uniform(0, 0.15), metal=design.uniform(0, 0.7))


def embossed(design: Rng, piece: Rng, on: Plane) -> Layers:
    """A sheet with rows of raised dots, diamonds or bars."""
    pitch = design.uniform(11, 30)
    u, v = lay(design, piece, on, 0.3)
    i, fu = _fraction(u / pitch)
    j, fv = _fraction(v / pitch + 0.5 * wrap(i, 2))
    x, y = 2 * fu - 1, 2 * fv - 1
    form = design.whole(0, 2)
    if form == 0:
        distance = norm(x, y)
    elif form == 1:
        distance = np.abs(x) + np.abs(y)
    else:
        turn = np.where(wrap(i + j, 2) < 1, x + y, x - y), np.where(wrap(i + j, 2) < 1, x - y, x + y)
        distance = norm(turn[0] * 0.5, turn[1] * 1.6)
    size = design.uniform(0.5, 0.8)
    bump = smoothstep(size, size * design.uniform(0.1, 0.8), distance)
    base = colour(design, 0.12)
    tone = (1 + design.uniform(-0.1, 0.2) * bump) * (1 + design.uniform(0.01, 0.05) * fractal(piece, on, 7, 3))
    height = bump * pitch * design.uniform(0.04, 0.14)
    return stack(base * tone, height, on, gloss=design.uniform(0, 0.2), metal=design.uniform(0, 0.6))


def quilted(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Padded squares or lozenges between seams of stitches."""
    pitch = design.uniform(28, 70)
    u, v = lay(design, piece, on, 1.0)
    fu, fv = u / pitch - np.floor(u / pitch), v / pitch - np.floor(v / pitch)
    seam = np.minimum(np.minimum(fu, 1 - fu), np.minimum(fv, 1 - fv)) * pitch
    along = np.where(np.minimum(fu, 1 - fu) < np.minimum(fv, 1 - fv), v, u)
    stitch = smoothstep(1.6, 0.8, seam) * (np.sin(along * (2 * np.pi / design.uniform(4, 7))) > -0.4)
    puff = np.sqrt(np.minimum(seam / (pitch * 0.5), 1))
    base = colour(design, 0.1)
    cloth = 0.04 * fractal(piece, on, 2.5, 2) + 0.03 * fractal(piece, on, 25, 2)
    albedo = mix(base * ((0.75 + 0.25 * puff) * (1 + cloth)), kin(design, base, 1.5), np.asarray(stitch, np.float32))
    return stack(albedo, puff * design.uniform(2, 6) + stitch, on, gloss=design.uniform(0, 0.1), metal=0)
