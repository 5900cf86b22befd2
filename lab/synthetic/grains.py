"""Irregular surfaces: random structure of one character over the whole image. Signature and streams as in patterns.py."""

import numpy as np

from lab.synthetic.layers import Layers, colour, kin, mix
from lab.synthetic.patterns import lay, stack
from lab.synthetic.plane import Plane, blur, cells, fractal, noise, smoothstep, streaks
from lab.synthetic.rng import Rng
from lab.synthetic.strokes import draw, tangle


def direction(design: Rng, piece: Rng) -> float:
    """Direction of a grain in radians: mostly upright or level, seldom oblique; nearly the same in every image."""
    straight = design.pick([0.0, np.pi / 2]) + design.normal(0.03)
    return float((straight if design.chance(0.65) else design.uniform(0, np.pi)) + piece.normal(0.01))


def brushed(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Metal or plastic with fine parallel lines."""
    angle = direction(design, piece)
    fine = streaks(piece, on, angle, design.uniform(1.2, 3), design.uniform(40, 220))
    broad = streaks(piece, on, angle, design.uniform(8, 40), 220)
    base = colour(design, 0.15)
    tone = 1 + design.uniform(0.03, 0.14) * fine + design.uniform(0.01, 0.1) * broad
    relief = design.uniform(0.03, 0.2) * fine
    return stack(base * tone, relief, on, gloss=design.uniform(0, 0.1), metal=design.uniform(0.2, 0.9))


def streaky(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Rolled or drawn material: bright and dark streaks of many widths over a rough ground."""
    angle = direction(design, piece)
    lines = sum((streaks(piece, on, angle, a, 90 + 60 * a) for a in (1.5, 4, 12, 40)), np.zeros_like(on.x)) * 0.5
    bright = np.maximum(lines - design.uniform(0.6, 1.6), 0) * design.uniform(0, 0.6)
    base = colour(design, 0.08, 0.6)
    tone = np.exp(design.uniform(0.05, 0.22) * lines + bright + design.uniform(0.02, 0.1) * fractal(piece, on, 3, 2))
    return stack(base * tone, 0.1 * lines, on, gloss=design.uniform(0, 0.06), metal=design.uniform(0, 0.6))


def speckled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Chips of two colours in a ground, like cast stone or recycled plastic."""
    base = colour(design, 0.2)
    field = fractal(piece, on, design.uniform(6, 14), 2)
    other = fractal(piece, on, design.uniform(4, 10), 2)
    rare, soft = design.uniform(0.8, 1.7), design.uniform(0.1, 0.3)
    albedo = mix(base, kin(design, base, 1.5), smoothstep(rare, rare + soft, field))
    albedo = mix(albedo, kin(design, base, 1.5), smoothstep(rare, rare + soft, other))
    albedo = albedo * (1 + 0.03 * fractal(piece, on, 30, 4, 0.7))
    return stack(albedo, design.uniform(0, 0.1) * field, on, gloss=design.uniform(0, 0.25), metal=0)


def cellular(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Cells with walls between them: crackle glaze, foam skin, crystal grains."""
    label, far, near = cells(piece, on, design.uniform(12, 40), design.uniform(0.5, 1.0))
    width = design.uniform(0.3, 2.5)
    face = blur(smoothstep(width - 0.5, width + 1.5, near), 0.5, on)
    base = colour(design, 0.15)
    table = 1 + design.uniform(0.0, 0.2) * piece.normals(4096)
    tone = table[label % 4096] * (1 + 0.04 * fractal(piece, on, 8, 3))
    wall = kin(design, base, 1.5)
    pillow = design.uniform(0, 1) * np.minimum(near, 6) - design.uniform(0, 0.05) * far
    albedo = mix(wall, base * np.maximum(tone, 0.2), face)
    height = blur(pillow, 1.0, on) * 0.5 + design.uniform(-0.6, 0.8) * face
    return stack(albedo, height, on, gloss=design.uniform(0, 0.2), metal=design.pick([0.0, 0.5], p=[0.7, 0.3]))


def grained(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Growth rings cut lengthwise: wavy dark bands and fine pores along one direction."""
    angle = direction(design, piece)
    u, v = on.posed(angle, *piece.point(200))
    bend = streaks(piece, on, angle, design.uniform(40, 120), design.uniform(150, 300)) * design.uniform(4, 16)
    pitch = design.uniform(6, 26)
    phase = (v + bend + u * design.uniform(-0.1, 0.1)) / pitch
    ring = phase - np.floor(phase)
    ring = ring * ring * smoothstep(1.0, 0.85, ring)
    pores = np.maximum(streaks(piece, on, angle, 1.3, 14) - 1.2, 0)
    fibre = streaks(piece, on, angle, 2, 80)
    base = colour(design, 0.2, 0.7) * np.array([1.15, 1.0, 0.8], np.float32).reshape(3, 1, 1)
    deep = design.uniform(0.15, 0.6)
    tone = 1 - deep * ring - design.uniform(0, 0.3) * pores + design.uniform(0.02, 0.08) * fibre
    return stack(base * tone, -0.15 * pores - 0.1 * ring, on, gloss=design.uniform(0, 0.1), metal=0)


def rough(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Cast or broken material: relief with as much power at every scale as the product's spectrum says."""
    relief = fractal(piece, on, design.uniform(8, 90), 5, design.uniform(0.4, 0.85))
    mottle = fractal(piece, on, design.uniform(20, 100), 4, 0.6)
    base = colour(design, 0.1)
    tone = 1 + design.uniform(0.02, 0.12) * relief + design.uniform(0.0, 0.12) * mottle
    return stack(
        base * tone,
        relief * design.uniform(0.3, 1.6),
        on,
        gloss=design.uniform(0, 0.1),
        metal=design.pick([0.0, 0.5]),
    )


def granular(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Packed grains or beads, each with its own tone."""
    spacing = design.uniform(6, 16)
    label, far, near = cells(piece, on, spacing, design.uniform(0.6, 1.1))
    dome = np.sqrt(np.clip(1 - (far / (spacing * 0.75)) ** 2, 0, 1)) * smoothstep(0, 2, near)
    base = colour(design, 0.12)
    shades = np.concatenate([kin(piece, base, design.uniform(0.1, 0.8)) for _ in range(16)], 1)[..., 0]
    albedo = shades[:, (label * 7) % 16] * (0.45 + 0.55 * dome)
    height = blur(dome, 0.7, on) * (spacing * design.uniform(0.1, 0.3))
    return stack(albedo, height, on, gloss=design.uniform(0, 0.15), metal=0)


def marbled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Polished stone: clouds and thin winding veins."""
    clouds = fractal(piece, on, design.uniform(60, 160), 5, 0.55)
    base = colour(design, 0.2)
    albedo = mix(base, kin(design, base, 0.8), smoothstep(-1.5, 1.5, clouds))
    for _ in range(design.whole(1, 3)):
        vein = np.abs(fractal(piece, on, design.uniform(70, 160), 4, 0.5))
        width = design.uniform(0.02, 0.12)
        albedo = mix(albedo, kin(design, base, 1.6), smoothstep(width, 0, vein) * design.uniform(0.3, 0.9))
    return stack(albedo, 0.02 * clouds, on, gloss=design.uniform(0.05, 0.3), metal=0)


def sand_blasted(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Fine even grain with a broad change of tone across the part."""
    fine = fractal(piece, on, design.uniform(1.5, 3.5), 2)
    turn = design.angle()
    slope = design.uniform(0, 0.5) / 112 * on.along(turn)
    base = colour(design, 0.12)
    tone = (1 + design.uniform(0.03, 0.12) * fine) * np.exp(slope + 0.03 * noise(piece, on, 120))
    relief = design.uniform(0.1, 0.4) * fine
    return stack(base * tone, relief, on, gloss=design.uniform(0, 0.1), metal=design.uniform(0, 0.8))


def fibrous(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Felt, paper or fleece: a mat of short fibres lying in all directions."""
    base = colour(design, 0.2)
    background = fractal(piece, on, 10, 4, 0.7)
    mat = np.zeros_like(on.x)
    length, curl = design.uniform(15, 70), design.uniform(0.02, 0.2)
    for shade in (-1.0, 1.0):
        threads = tangle(piece, design.whole(60, 160), length, curl)
        mat += shade * draw(threads, design.uniform(0.8, 1.9), on)
    tone = 1 + design.uniform(0.04, 0.2) * mat + design.uniform(0.03, 0.1) * background
    return stack(base * tone, 0.3 * mat + 0.3 * background, on, gloss=0.01, metal=0)


def pebbled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Grained skin: soft irregular pebbles with valleys between."""
    spacing = design.uniform(5, 14)
    _, _, near = cells(piece, on, spacing, 1.0)
    pebble = blur(np.minimum(near, (spacing * 0.35)), spacing * 0.12, on) / (spacing * 0.35)
    base = colour(design, 0.06, 0.6)
    tone = (0.6 + 0.5 * pebble) * (1 + 0.05 * fractal(piece, on, 50, 3))
    height = pebble * (spacing * design.uniform(0.06, 0.2)) + 0.2 * noise(piece, on, 30)
    return stack(base * tone, height, on, gloss=design.uniform(0, 0.15), metal=0)


def wrinkled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Foil or cloth in soft folds."""
    folds = np.abs(fractal(piece, on, design.uniform(40, 110), 3, 0.45))
    sharp = design.uniform(0.4, 1.2)
    height = -np.sqrt(folds + 0.01) * (sharp * 5)
    base = colour(design, 0.12)
    tone = 1 + design.uniform(0.01, 0.06) * fractal(piece, on, 3, 2)
    return stack(base * tone, height, on, gloss=design.uniform(0, 0.2), metal=design.uniform(0, 0.9))


def foamed(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Porous material: round pores of many sizes, all over."""
    pores = np.zeros_like(on.x)
    for spacing in design.many(8, 30, 2):
        _, far, _ = cells(piece, on, spacing, 1.0)
        radius = (spacing * design.uniform(0.12, 0.3)) * (1 + 0.3 * noise(piece, on, 20))
        pores = np.maximum(pores, np.clip(1 - far / np.maximum(radius, 0.5), 0, 1))
    base = colour(design, 0.2)
    tone = (1 - design.uniform(0.2, 0.7) * np.sqrt(pores)) * (1 + 0.05 * fractal(piece, on, 6, 3))
    return stack(base * tone, -design.uniform(0.8, 3) * pores, on, gloss=0.02, metal=0)


def lacquered(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Smooth paint or glaze with a slight orange peel that ripples its reflections."""
    peel = fractal(piece, on, design.uniform(6, 25), 2)
    base = colour(design)
    tone = 1 + 0.01 * fractal(piece, on, 60, 2)
    return stack(
        base * tone,
        peel * design.uniform(0.02, 0.15),
        on,
        gloss=design.uniform(0.08, 0.4),
        metal=design.pick([0.0, 0.3]),
    )


def mottled(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Blotches of a few close tones with soft borders, like patina, hide or galvanised sheet."""
    field = fractal(piece, on, design.uniform(20, 60), 3, 0.6)
    levels = design.whole(2, 5)
    stepped = np.tanh(np.sin(field * levels) * design.uniform(0.8, 4))
    base = colour(design, 0.12)
    albedo = mix(base, kin(design, base, 0.35), 0.5 + 0.5 * stepped) * (1 + 0.03 * fractal(piece, on, 4, 2))
    return stack(albedo, 0.05 * stepped, on, gloss=design.uniform(0, 0.15), metal=design.uniform(0, 0.6))


def terraced(design: Rng, piece: Rng, on: Plane) -> Layers:
    """Trowelled or scraped material: overlapping flat strokes with ridges at their ends."""
    u, v = lay(design, piece, on, 2.0)
    field = noise(piece, on, design.uniform(60, 140)) * 0.35 + u / design.uniform(16, 45)
    step = field - np.floor(field)
    ridge = smoothstep(0.0, 0.9, step) * smoothstep(1.0, 0.93, step)
    fine = streaks(piece, on, design.uniform(0, np.pi), 2, 50) + 0.01 * v
    base = colour(design, 0.15)
    tone = 1 + 0.08 * (ridge - 0.5) + design.uniform(0.01, 0.06) * fine + 0.04 * fractal(piece, on, 20, 4, 0.7)
    return stack(base * tone, ridge * design.uniform(0.8, 2.5), on, gloss=design.uniform(0, 0.1), metal=0)
