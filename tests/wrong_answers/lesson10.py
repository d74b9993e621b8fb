"""Answers to lesson 10: paths between latents, films, directions, and the way back."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from bank import right, wrong
from torch import nn

from facegan_ref.morph import latent_size
from facegan_ref.sampling import sample, sample_latent

# ---------------------------------------------------------------- 10.1 lerp, right


@right("10.1")
def start_plus_a_part_of_the_way(a, b, t):
    return a + t * (b - a)


@right("10.1")
def torch_lerp(a, b, t):
    return torch.lerp(a, b, t)


@right("10.1")
def weights_by_torch_mul(a, b, t):
    return torch.add(torch.mul(a, 1.0 - t), torch.mul(b, t))


@right("10.1")
def t_made_a_tensor_first(a, b, t):
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    return a * (1 - t) + b * t


@right("10.1")
def from_the_other_end(a, b, t):
    return b - (1 - t) * (b - a)


@right("10.1")
def as_a_product_of_matrices(a, b, t):
    t = torch.as_tensor(t).expand(
        *torch.broadcast_shapes(getattr(t, "shape", ()), a[..., :1].shape)
    )
    ends = torch.stack(torch.broadcast_tensors(a, b), dim=-2)
    return (torch.stack([1 - t, t], dim=-1) @ ends).squeeze(-2)


# ---------------------------------------------------------------- 10.1 lerp, wrong


@wrong("10.1", rejected_by="walks_the_straight_line", says="weights are swapped")
def swapped_weights(a, b, t):
    return t * a + (1 - t) * b


@wrong("10.1", rejected_by="walks_the_straight_line", says="b - a, not a - b")
def difference_the_wrong_way(a, b, t):
    return a + t * (a - b)


@wrong("10.1", rejected_by="walks_the_straight_line", says="weight 1 - t of a is missing")
def a_with_its_full_weight(a, b, t):
    return a + t * b


@wrong("10.1", rejected_by="walks_the_straight_line", says="where the way starts, is missing")
def the_way_without_its_start(a, b, t):
    return t * (b - a)


@wrong("10.1", rejected_by="walks_the_straight_line", says="t is not used")
def always_the_middle(a, b, t):
    return (a + b) / 2


@wrong("10.1", rejected_by="walks_the_straight_line", says="scaled to the norm")
def scaled_to_the_sphere(a, b, t):
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    point = (1 - t) * a + t * b
    return point / point.norm(dim=-1, keepdim=True) * ((1 - t) * norm_a + t * norm_b)


@wrong("10.1", rejected_by="walks_the_straight_line", says="eased")
def smoothstep(a, b, t):
    t = 3 * t**2 - 2 * t**3
    return (1 - t) * a + t * b


@wrong("10.1", rejected_by="walks_the_straight_line", says="no return")
def forgot_the_return(a, b, t):
    (1 - t) * a + t * b


@wrong("10.1", rejected_by="walks_the_straight_line", says="in-place")
def adds_in_place(a, b, t):
    a += t * (b - a)
    return a


@wrong("10.1", rejected_by="walks_the_straight_line", says="torch's functions and tensors")
def in_numpy(a, b, t):
    return (1 - t) * a.numpy() + t * b.numpy()


@wrong("10.1", rejected_by="takes_a_t_for_each_row", says="t of its own")
def the_first_t_for_all_rows(a, b, t):
    if isinstance(t, torch.Tensor):
        n, t = len(t), t.flatten()[0]
        return ((1 - t) * a + t * b).expand(n, -1)
    return (1 - t) * a + t * b


@wrong("10.1", rejected_by="takes_a_t_for_each_row", says="t of its own")
def the_mean_t_for_all_rows(a, b, t):
    ones = torch.ones_like(torch.as_tensor(t))
    t = torch.as_tensor(t).mean() * ones
    return (1 - t) * a + t * b


@wrong("10.1", rejected_by="takes_a_t_for_each_row", says="only one element")
def t_made_a_float(a, b, t):
    t = float(t)
    return (1 - t) * a + t * b


@wrong("10.1", rejected_by="takes_a_t_for_each_row", says="shape")
def t_flattened(a, b, t):
    t = torch.as_tensor(t).flatten()
    return torch.stack([(1 - s) * a + s * b for s in t]).squeeze(0)


# ---------------------------------------------------------------- 10.2 slerp, right


def lerp(a, b, t):
    return (1 - t) * a + t * b


@right("10.2")
def the_classic_formula_on_raw_latents(a, b, t):
    cosine = (a * b).sum(-1, keepdim=True) / (
        a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True)
    ).clamp(min=1e-8)
    omega = torch.acos(cosine.clamp(-1, 1))
    so = torch.sin(omega)
    arc = torch.sin((1.0 - t) * omega) / so * a + torch.sin(t * omega) / so * b
    return torch.where(so.abs() < 1e-4, lerp(a, b, t), arc)


@right("10.2")
def threshold_on_the_dot_product(a, b, t):
    a_unit, b_unit = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    dot = (a_unit * b_unit).sum(dim=-1, keepdim=True)
    straight = dot.abs() > 0.9995
    theta_0 = torch.acos(dot.masked_fill(straight, 0))
    theta_t = theta_0 * t
    s0 = torch.sin(theta_0 - theta_t) / torch.sin(theta_0)
    s1 = torch.sin(theta_t) / torch.sin(theta_0)
    norm_a, norm_b = (x.norm(dim=-1, keepdim=True) for x in (a, b))
    zero = (norm_a == 0) | (norm_b == 0)
    arc = (s0 * a_unit + s1 * b_unit) * lerp(norm_a, norm_b, t)
    return torch.where(straight | zero, lerp(a, b, t), arc)


@right("10.2")
def row_by_row_with_math(a, b, t):
    shape = torch.broadcast_shapes(a.shape, b.shape, getattr(t, "shape", ()))
    rows_a, rows_b = (x.expand(shape).reshape(-1, shape[-1]) for x in (a, b))
    ts = torch.as_tensor(t).expand(*shape[:-1], 1).flatten().tolist() if shape[:-1] else [float(t)]
    out = []
    for p, q, s in zip(rows_a, rows_b, ts, strict=True):
        n, m = float(p.norm()), float(q.norm())
        c = float(p @ q) / (n * m) if n and m else 1.0
        if abs(c) > 0.99999:
            out.append((1 - s) * p + s * q)
            continue
        w = math.acos(c)
        out.append((math.sin((1 - s) * w) * p + math.sin(s * w) * q) / math.sin(w))
    return torch.stack(out).reshape(shape)


@right("10.2")
def gram_schmidt_and_a_turn(a, b, t):
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    u, v = a / (norm_a + 1e-12), b / (norm_b + 1e-12)
    side = v - (u * v).sum(-1, keepdim=True) * u
    length = side.norm(dim=-1, keepdim=True)
    angle = torch.atan2(length, (u * v).sum(-1, keepdim=True))
    turned = torch.cos(t * angle) * u + torch.sin(t * angle) * side / (length + 1e-12)
    return torch.where(length > 1e-4, turned * lerp(norm_a, norm_b, t), lerp(a, b, t))


@right("10.2")
def in_double_precision(a, b, t):
    kind = a.dtype
    a, b = a.double(), b.double()
    t = t.double() if isinstance(t, torch.Tensor) else t
    dot = torch.sum(a * b, dim=-1, keepdim=True)
    norms = torch.linalg.vector_norm(a, dim=-1, keepdim=True) * torch.linalg.vector_norm(
        b, dim=-1, keepdim=True
    )
    omega = torch.arccos(torch.clip(dot / norms, -1 + 1e-12, 1 - 1e-12))
    out = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    bad = (norms == 0) | (torch.sin(omega) < 1e-5)
    return torch.where(bad, (1 - t) * a + t * b, out).to(kind)


@right("10.2")
def norms_in_geometric_proportion(a, b, t):
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    angle = 2 * torch.asin(((a / norm_a - b / norm_b).norm(dim=-1, keepdim=True) / 2).clamp(max=1))
    direction = torch.sin((1 - t) * angle) * a / norm_a + torch.sin(t * angle) * b / norm_b
    arc = direction / torch.sin(angle) * norm_a ** (1 - t) * norm_b**t
    return torch.where(torch.sin(angle) > 3e-3, arc, lerp(a, b, t))


@right("10.2")
def an_opposite_point_by_another_road(a, b, t):
    """For opposite latents it takes some arc, not the straight line."""
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    cosine = ((a * b).sum(-1, keepdim=True) / (norm_a * norm_b)).clamp(-1, 1)
    angle = cosine.acos()
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    side = torch.roll(a, 1, -1)
    side = side - (side * a).sum(-1, keepdim=True) / norm_a**2 * a
    side = side / side.norm(dim=-1, keepdim=True) * norm_a
    half = torch.as_tensor(t * math.pi)
    detour = half.cos() * a + half.sin() * side
    points = torch.where(cosine < -0.9999, detour, arc)
    return torch.where(angle.sin().abs() > 1e-3, points, torch.where(
        cosine < -0.9999, detour, lerp(a, b, t)))  # fmt: skip


# ---------------------------------------------------------------- 10.2 slerp, wrong


def angle_of(a, b):
    cosine = (a * b).sum(-1, keepdim=True)
    cosine = cosine / (a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True))
    return cosine.clamp(-1, 1).acos()


def safe(a, b, t, arc):
    return torch.where(angle_of(a, b).sin() > 1e-3, arc, lerp(a, b, t))


@wrong("10.2", rejected_by="stays_on_the_sphere", says="this is lerp, the straight line")
def straight_line(a, b, t):
    return (1 - t) * a + t * b


@wrong("10.2", rejected_by="turns_evenly", says="lerp scaled back to the sphere")
def renormalised_lerp(a, b, t):
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    point = lerp(F.normalize(a, dim=-1), F.normalize(b, dim=-1), t)
    return F.normalize(point, dim=-1) * lerp(norm_a, norm_b, t)


@wrong("10.2", rejected_by="each_row_for_itself", says="one angle is taken for the whole batch")
def global_norms(a, b, t):
    omega = torch.acos(torch.clamp((a * b).sum() / (a.norm() * b.norm()), -1, 1))
    if omega.sin() < 1e-4 or omega.isnan():
        return lerp(a, b, t)
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="turns_evenly", says="one angle is taken for the whole batch")
def global_norms_again(a, b, t):
    omega = torch.acos(torch.clamp((a * b).sum() / (a.norm() * b.norm()), -1, 1))
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="no_nan_without_an_arc", says="clamp the cosine")
def textbook_without_care(a, b, t):
    u, v = a / a.norm(dim=-1, keepdim=True), b / b.norm(dim=-1, keepdim=True)
    omega = torch.acos((u * v).sum(-1, keepdim=True))
    so = torch.sin(omega)
    return torch.sin((1 - t) * omega) / so * a + torch.sin(t * omega) / so * b


@wrong("10.2", rejected_by="no_nan_without_an_arc", says="take lerp there")
def clamped_but_divided_by_zero(a, b, t):
    omega = angle_of(a, b)
    so = torch.sin(omega)
    return torch.sin((1 - t) * omega) / so * a + torch.sin(t * omega) / so * b


@wrong("10.2", rejected_by="no_nan_without_an_arc", says="small number in the denominator")
def eps_in_the_denominator(a, b, t):
    norms = a.norm(dim=-1, keepdim=True) * b.norm(dim=-1, keepdim=True)
    omega = ((a * b).sum(-1, keepdim=True) / (norms + 1e-8)).clamp(-1, 1).acos()
    so = torch.sin(omega) + 1e-8
    return torch.sin((1 - t) * omega) / so * a + torch.sin(t * omega) / so * b


@wrong("10.2", rejected_by="no_nan_without_an_arc", says="small number in the denominator")
def nan_to_num(a, b, t):
    omega = angle_of(a, b)
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    return torch.nan_to_num(arc)


@wrong("10.2", rejected_by="no_nan_without_an_arc", says="the ends are still a and b")
def a_where_the_angle_is_zero(a, b, t):
    omega = angle_of(a, b)
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    return torch.where(torch.sin(omega) > 1e-3, arc, a + 0 * t)


@wrong("10.2", rejected_by="each_row_for_itself", says="one decision is taken for the whole batch")
def one_straight_row_makes_all_straight(a, b, t):
    omega = angle_of(a, b)
    if not bool((torch.sin(omega) > 1e-3).all()):
        return lerp(a, b, t)
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="each_row_for_itself", says="torch.where decide for each row")
def an_if_on_a_batch(a, b, t):
    omega = angle_of(a, b)
    if torch.sin(omega) < 1e-3:
        return lerp(a, b, t)
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="dim=-1, the last one")
def dimension_one(a, b, t):
    u, v = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    omega = (u * v).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    return safe(a, b, t, arc)


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="lies on the unit sphere")
def unit_sphere_only(a, b, t):
    u, v = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    omega = angle_of(a, b)
    arc = (torch.sin((1 - t) * omega) * u + torch.sin(t * omega) * v) / torch.sin(omega)
    return torch.where(torch.sin(omega) > 1e-3, arc, F.normalize(lerp(u, v, t), dim=-1))


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="norm of a is kept")
def norm_of_a_everywhere(a, b, t):
    omega = angle_of(a, b)
    u, v = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    arc = (torch.sin((1 - t) * omega) * u + torch.sin(t * omega) * v) / torch.sin(omega)
    return safe(a, b, t, arc * a.norm(dim=-1, keepdim=True))


@wrong("10.2", rejected_by="stays_on_the_sphere", says="division by sin(angle) is missing")
def no_division_by_the_sine(a, b, t):
    omega = angle_of(a, b)
    return torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="ends are swapped")
def from_b_to_a(a, b, t):
    omega = angle_of(a, b)
    norm = lerp(b.norm(dim=-1, keepdim=True), a.norm(dim=-1, keepdim=True), t)
    u, v = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    return (torch.sin(t * omega) * u + torch.sin((1 - t) * omega) * v) / torch.sin(omega) * norm


@wrong("10.2", rejected_by="stays_on_the_sphere", says="arccos is missing")
def cosine_as_the_angle(a, b, t):
    omega = (F.normalize(a, dim=-1) * F.normalize(b, dim=-1)).sum(-1, keepdim=True)
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="stays_on_the_sphere", says="without division by their norms")
def dot_product_of_raw_latents(a, b, t):
    omega = (a * b).sum(-1, keepdim=True).clamp(-1, 1).acos()
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="stays_on_the_sphere", says="in degrees")
def degrees(a, b, t):
    omega = torch.rad2deg(angle_of(a, b))
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="turns_evenly", says="perpendicular")
def a_quarter_circle_for_all(a, b, t):
    quarter = torch.as_tensor(t * math.pi / 2)
    return torch.cos(quarter) * a + torch.sin(quarter) * b


@wrong("10.2", rejected_by="turns_evenly", says="perpendicular")
def roots_of_t(a, b, t):
    t = torch.as_tensor(t)
    return torch.sqrt(1 - t) * a + torch.sqrt(t) * b


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="keepdim=True")
def without_keepdim(a, b, t):
    omega = ((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))).clamp(-1, 1).acos()
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="do not go row by row")
def with_torch_dot(a, b, t):
    omega = torch.acos((torch.dot(a, b) / (a.norm() * b.norm())).clamp(-1, 1))
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


@wrong("10.2", rejected_by="takes_a_t_for_each_row", says="t of its own")
def one_t_for_all(a, b, t):
    omega = angle_of(a, b)
    t = torch.as_tensor(t).mean() * torch.ones_like(torch.as_tensor(t))
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    return safe(a, b, t, arc)


@wrong("10.2", rejected_by="starts_at_a_and_ends_at_b", says="cosines are taken")
def cosines_for_sines(a, b, t):
    omega = angle_of(a, b)
    return (torch.cos((1 - t) * omega) * a + torch.cos(t * omega) * b) / torch.sin(omega)


# ---------------------------------------------------------------- 10.3 morph


def slerp(a, b, t):
    omega = angle_of(a, b)
    arc = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)
    return safe(a, b, t, arc)


def require_two(steps):
    if steps < 2:
        raise ValueError("steps must be at least 2")


@right("10.3")
def frame_by_frame(generator, z0, z1, steps):
    require_two(steps)
    z0, z1 = z0.view(1, -1), z1.view(1, -1)
    frames = [sample(generator, slerp(z0, z1, i / (steps - 1))) for i in range(steps)]
    return torch.cat(frames)


@right("10.3")
def modes_by_hand(generator, z0, z1, steps):
    require_two(steps)
    mode = generator.training
    generator.eval()
    with torch.no_grad():
        ts = torch.linspace(0.0, 1.0, steps).unsqueeze(1)
        frames = generator(slerp(z0.reshape(-1), z1.reshape(-1), ts))
    if mode:
        generator.train()
    return frames


@right("10.3")
def with_a_copy_of_the_generator(generator, z0, z1, steps):
    if not steps >= 2:
        raise ValueError(steps)
    twin = copy.deepcopy(generator).eval()
    ts = np.linspace(0, 1, steps)
    latents = torch.stack([slerp(z0.flatten(), z1.flatten(), float(t)) for t in ts])
    return twin(latents).detach()


@right("10.3")
def ends_put_in_by_hand(generator, z0, z1, steps):
    require_two(steps)
    z0, z1 = torch.atleast_2d(z0), torch.atleast_2d(z1)
    between = [slerp(z0, z1, i / (steps - 1)) for i in range(1, steps - 1)]
    return torch.stack([sample(generator, z)[0] for z in (z0, *between, z1)])


@right("10.3")
@torch.inference_mode()
def under_inference_mode(generator, z0, z1, steps):
    require_two(steps)
    was = generator.training
    try:
        generator.train(False)
        return generator(slerp(z0, z1, torch.arange(steps)[:, None] / (steps - 1)))
    finally:
        generator.train(was)


@wrong("10.3", rejected_by="walks_evenly_along_the_arc", says="straight line of lerp")
def along_the_chord(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, lerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="walks_evenly_along_the_arc", says="mix latents, not images")
def cross_fade(generator, z0, z1, steps):
    require_two(steps)
    first, last = sample(generator, torch.stack([z0.flatten(), z1.flatten()]))
    return lerp(first, last, torch.linspace(0, 1, steps)[:, None, None, None])


@wrong("10.3", rejected_by="keeps_the_generators_values", says="rescaled")
def each_frame_stretched(generator, z0, z1, steps):
    require_two(steps)
    frames = sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))
    low, high = frames.amin((1, 2, 3), keepdim=True), frames.amax((1, 2, 3), keepdim=True)
    return (frames - low) / (high - low)


@wrong("10.3", rejected_by="keeps_the_generators_values", says="rescaled")
def the_film_stretched(generator, z0, z1, steps):
    require_two(steps)
    frames = sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))
    return (frames - frames.min()) / (frames.max() - frames.min())


@wrong("10.3", rejected_by="keeps_the_generators_values", says="in [0, 1]")
def for_imshow(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)[:, None])) * 0.5 + 0.5


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="rescaled")
def as_bytes(generator, z0, z1, steps):
    require_two(steps)
    frames = sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))
    return ((frames + 1) * 127.5).to(torch.uint8)


@wrong("10.3", rejected_by="begins_and_ends_with_the_two_faces", says="both ends")
def the_last_frame_missing(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z0, z1, torch.arange(steps)[:, None] / steps))


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="both ends count")
def one_frame_too_many(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps + 1)[:, None]))


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="both ends count")
def steps_between_the_ends(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps + 2)[:, None]))


@wrong("10.3", rejected_by="begins_and_ends_with_the_two_faces", says="backwards")
def backwards(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z1, z0, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="begins_and_ends_with_the_two_faces", says="training mode")
def in_the_mode_it_comes_in(generator, z0, z1, steps):
    require_two(steps)
    with torch.no_grad():
        return generator(slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="leaves_the_generator_as_it_was", says="mode is not put back")
def leaves_it_in_eval(generator, z0, z1, steps):
    require_two(steps)
    generator.eval()
    with torch.no_grad():
        return generator(slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="leaves_the_generator_as_it_was", says="mode is not put back")
def always_trains_afterwards(generator, z0, z1, steps):
    require_two(steps)
    generator.eval()
    frames = generator(slerp(z0, z1, torch.linspace(0, 1, steps)[:, None])).detach()
    generator.train()
    return frames


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="without a graph")
def with_its_graph(generator, z0, z1, steps):
    require_two(steps)
    generator.eval()
    return generator(slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="ValueError")
def one_frame_is_allowed(generator, z0, z1, steps):
    return sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)[:, None]))


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="torch.stack makes a tensor")
def a_list_of_frames(generator, z0, z1, steps):
    require_two(steps)
    return [sample(generator, slerp(z0[None], z1[None], i / (steps - 1)))[0] for i in range(steps)]


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="torch.cat joins them")
def stacked_batches_of_one(generator, z0, z1, steps):
    require_two(steps)
    z0, z1 = z0.view(1, -1), z1.view(1, -1)
    frames = [sample(generator, slerp(z0, z1, i / (steps - 1))) for i in range(steps)]
    return torch.stack(frames)


@wrong("10.3", rejected_by="gives_as_many_frames_as_asked", says="shape (steps, 1)")
def t_without_a_column(generator, z0, z1, steps):
    require_two(steps)
    return sample(generator, slerp(z0, z1, torch.linspace(0, 1, steps)))


@wrong("10.3", rejected_by="walks_evenly_along_the_arc", says="evenly spaced t")
def eased(generator, z0, z1, steps):
    require_two(steps)
    t = torch.linspace(0, 1, steps)[:, None]
    return sample(generator, slerp(z0, z1, t * t * (3 - 2 * t)))


@wrong("10.3", rejected_by="walks_evenly_along_the_arc", says="scaled to the sphere")
def renormalised(generator, z0, z1, steps):
    require_two(steps)
    z = lerp(z0, z1, torch.linspace(0, 1, steps)[:, None])
    return sample(generator, F.normalize(z, dim=1) * z0.norm())


# ---------------------------------------------------------------- 10.4 attribute_direction, right


@right("10.4")
def indices_of_both_classes(z, labels):
    yes, no = torch.nonzero(labels).flatten(), torch.nonzero(~labels).flatten()
    return F.normalize(torch.mean(z[yes], 0) - torch.mean(z[no], 0), dim=0)


@right("10.4")
def weighted_sums(z, labels):
    w = labels.float()[:, None]
    difference = (w * z).sum(0) / w.sum() - ((1 - w) * z).sum(0) / (1 - w).sum()
    return difference / torch.linalg.norm(difference)


@right("10.4")
def covariance_with_the_label(z, labels):
    y = labels.float()
    direction = ((y - y.mean())[:, None] * (z - z.mean(0))).mean(0)
    return direction / direction.norm()


@right("10.4")
def least_squares(z, labels):
    x = torch.cat([z, torch.ones(len(z), 1)], dim=1)
    weights = torch.linalg.lstsq(x, labels.float()[:, None]).solution[:-1, 0]
    return weights / weights.norm()


@right("10.4")
def fishers_discriminant(z, labels):
    a, b = z[labels], z[~labels]
    within = (torch.cov(a.T) + torch.cov(b.T)) / 2 + 1e-3 * torch.eye(z.shape[1])
    direction = torch.linalg.solve(within, a.mean(0) - b.mean(0))
    return direction / direction.norm()


@right("10.4")
def logistic_regression(z, labels):
    w = torch.zeros(z.shape[1] + 1, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    for _ in range(60):
        loss = F.binary_cross_entropy_with_logits(z @ w[:-1] + w[-1], labels.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (w[:-1] / w[:-1].norm()).detach()


@right("10.4")
def linear_support_vectors(z, labels):
    layer = nn.Linear(z.shape[1], 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3, momentum=0.9)
    sign = labels.float() * 2 - 1
    for _ in range(60):
        loss = F.relu(1 - sign * layer(z).squeeze(1)).mean() + 1e-3 * layer.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weight = layer.weight.detach().squeeze(0)
    return weight / weight.norm()


# ---------------------------------------------------------------- 10.4 attribute_direction, wrong


def unit(x):
    return x / x.norm()


@wrong("10.4", rejected_by="leaves_other_factors_alone", says="with the attribute alone")
def mean_of_the_positives(z, labels):
    return unit(z[labels].mean(0))


@wrong("10.4", rejected_by="a_rare_attribute_counts_as_much", says="with the attribute alone")
def mean_of_the_positives_when_most_have_it(z, labels):
    return unit(z[labels].mean(dim=0))


@wrong("10.4", rejected_by="returns_a_unit_vector", says="divide the direction by its norm")
def not_normalised(z, labels):
    return z[labels].mean(0) - z[~labels].mean(0)


@wrong("10.4", rejected_by="returns_a_unit_vector", says="sum of its absolute values")
def normalised_by_the_sum(z, labels):
    direction = z[labels].mean(0) - z[~labels].mean(0)
    return direction / direction.abs().sum()


@wrong("10.4", rejected_by="returns_a_unit_vector", says="square of its norm")
def divided_by_the_square(z, labels):
    direction = z[labels].mean(0) - z[~labels].mean(0)
    return direction / (direction @ direction)


@wrong("10.4", rejected_by="leads_from_without_to_with", says="sign is flipped")
def flipped(z, labels):
    return unit(z[~labels].mean(0) - z[labels].mean(0))


@wrong("10.4", rejected_by="returns_a_unit_vector", says="dim=0")
def wrong_axis(z, labels):
    w = 2 * labels.float() - 1
    return unit((z * w[:, None]).mean(1))


@wrong("10.4", rejected_by="returns_a_unit_vector", says="dim=0 goes over the latents")
def mean_of_everything(z, labels):
    return z[labels].mean() - z[~labels].mean()


@wrong("10.4", rejected_by="leaves_other_factors_alone", says="number of its own examples")
def plus_and_minus_one_times_z(z, labels):
    sign = labels.float() * 2 - 1
    return unit((sign[:, None] * z).mean(0))


@wrong("10.4", rejected_by="leaves_other_factors_alone", says="take two means")
def sums_of_both(z, labels):
    return unit(z[labels].sum(0) - z[~labels].sum(0))


@wrong("10.4", rejected_by="leads_from_without_to_with", says="index with a bool tensor")
def labels_as_row_numbers(z, labels):
    labels = labels.long()
    return unit(z[labels].mean(0) - z[1 - labels].mean(0))


@wrong("10.4", rejected_by="leads_from_without_to_with", says="both means, not their difference")
def sum_of_the_means(z, labels):
    return unit(z[labels].mean(0) + z[~labels].mean(0))


@wrong("10.4", rejected_by="leads_from_without_to_with", says="a single pair")
def a_single_pair(z, labels):
    return unit(z[labels][0] - z[~labels][0])


@wrong("10.4", rejected_by="leads_from_without_to_with", says="absolute values")
def absolute_differences(z, labels):
    return unit((z[labels].mean(0) - z[~labels].mean(0)).abs())


@wrong("10.4", rejected_by="returns_a_unit_vector", says="keepdim")
def with_keepdim(z, labels):
    difference = z[labels].mean(0, keepdim=True) - z[~labels].mean(0, keepdim=True)
    return difference / difference.norm()


@wrong("10.4", rejected_by="a_rare_attribute_counts_as_much", says="more frequent class outweighs")
def least_squares_without_intercept(z, labels):
    return unit((z * (2 * labels.float() - 1)[:, None]).sum(0))


@wrong("10.4", rejected_by="returns_a_unit_vector", says="")
def minus_of_bools(z, labels):
    return unit(z[labels].mean(0) - z[-labels].mean(0))


# ---------------------------------------------------------------- 10.5 invert, right


def error_of(images, image):
    return (images - image).square().mean()


@right("10.5")
def backward_and_cleaned_up(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1, betas=(0.9, 0.99))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.MSELoss()(generator(z), image[None])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    generator.zero_grad()
    generator.train(was)
    return z.detach(), losses


@right("10.5")
def frozen_and_thawed(generator, image, steps):
    mode = generator.training
    generator.eval()
    for p in generator.parameters():
        p.requires_grad = False
    z = nn.Parameter(torch.zeros(1, latent_size(generator)))
    optimizer = torch.optim.Adam([z], lr=0.05)
    losses = torch.zeros(steps)
    for step in range(steps):
        loss = F.mse_loss(generator(z), image.unsqueeze(0))
        losses[step] = loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for p in generator.parameters():
        p.requires_grad = True
    generator.train(mode)
    return z.data, losses


@right("10.5")
def a_copy_and_plain_gradient_descent(generator, image, steps):
    twin = copy.deepcopy(generator).eval()
    z = torch.randn(1, latent_size(generator))
    losses = []
    for _ in range(steps):
        z.requires_grad_(True)
        loss = ((twin(z) - image) ** 2).mean()
        (grad,) = torch.autograd.grad(loss, z)
        with torch.no_grad():
            z = z - 2.0 * grad
        losses.append(loss.detach())
    return z.flatten(), losses


@right("10.5")
def several_starts_and_the_best(generator, image, steps):
    was = generator.training
    generator.eval()
    z = sample_latent(8, latent_size(generator)).requires_grad_(True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    history = []
    for step in range(steps + 1):
        errors = (generator(z) - image).square().mean(dim=(1, 2, 3))
        history.append(errors.detach())
        if step < steps:
            z.grad = torch.autograd.grad(errors.sum(), z)[0]
            optimizer.step()
    generator.train(was)
    best = history[-1].argmin()
    return z[best].detach(), torch.stack(history)[:, best]


@right("10.5")
def with_a_penalty_that_is_not_reported(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator)).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        optimizer.zero_grad()
        (loss + 1e-5 * z.square().mean()).backward(inputs=[z])
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    generator.train(was)
    return z.clone().detach(), losses


@right("10.5")
def keeps_the_best_so_far(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.RMSprop([z], lr=0.03)
    best, best_z, losses = math.inf, None, []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        losses.append(loss.item())
        if loss < best:
            best, best_z = loss.item(), z.detach().clone()
        (z.grad,) = torch.autograd.grad(loss, [z])
        optimizer.step()
    generator.train(was)
    return best_z, losses


# ---------------------------------------------------------------- 10.5 invert, wrong


def descend(generator, image, steps, lr=0.1, parameters=(), clear=True, sign=1, scale=1.0):
    """What most of the wrong ones vary."""
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z, *parameters], lr=lr)
    losses = []
    for _ in range(steps):
        loss = scale * error_of(generator(z), image)
        if clear:
            optimizer.zero_grad()
        (sign * loss).backward()
        optimizer.step()
        losses.append(loss.item())
    generator.zero_grad()
    generator.train(was)
    return z.detach(), losses


@wrong("10.5", rejected_by="leaves_the_generator_alone", says="generator learns too")
def optimises_the_generator_too(generator, image, steps):
    return descend(generator, image, steps, parameters=generator.parameters())


@wrong("10.5", rejected_by="finds_a_generated_face_again", says="zero_grad(), with parentheses")
def never_cleared(generator, image, steps):
    return descend(generator, image, steps, clear=False)


@wrong("10.5", rejected_by="lowers_the_error", says="uphill")
def gradient_ascent(generator, image, steps):
    return descend(generator, image, steps, sign=-1)


@wrong("10.5", rejected_by="finds_a_generated_face_again", says="Adam with lr = 0.1")
def tiny_steps(generator, image, steps):
    return descend(generator, image, steps, lr=0.001)


@wrong("10.5", rejected_by="returns_latent_and_losses", says="squares are summed")
def summed_squares(generator, image, steps):
    return descend(generator, image, steps, scale=image.numel())


@wrong("10.5", rejected_by="lowers_the_error", says="the latent from which the descent starts")
def returns_the_start(generator, image, steps):
    was = generator.training
    generator.eval()
    start = torch.randn(1, latent_size(generator))
    z = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        (z.grad,) = torch.autograd.grad(loss, z)
        optimizer.step()
        losses.append(loss.item())
    generator.train(was)
    return start, losses


@wrong("10.5", rejected_by="lowers_the_error", says="z never moves")
def never_steps(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        loss.backward(inputs=[z])
        losses.append(loss.item())
    generator.train(was)
    return z.detach(), losses


@wrong("10.5", rejected_by="lowers_the_error", says="asked once")
def one_step_only(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    loss = error_of(generator(z), image)
    (grad,) = torch.autograd.grad(loss, z)
    generator.train(was)
    return (z - 0.1 * grad).detach(), [loss.item()] * steps


@wrong("10.5", rejected_by="lowers_the_error", says="needs requires_grad")
def z_detached(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    generator.requires_grad_(False)
    for _ in range(steps):
        loss = error_of(generator(z.detach()), image)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return z.detach(), losses


@wrong("10.5", rejected_by="lowers_the_error", says="z never moves")
def z_detached_from_a_trainable_generator(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z.data), image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    generator.zero_grad()
    return z.detach(), losses


@wrong("10.5", rejected_by="returns_latent_and_losses", says="works under no_grad")
def with_sample(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = error_of(sample(generator, z), image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return z.detach(), losses


@wrong("10.5", rejected_by="returns_latent_and_losses", says="step under torch.no_grad()")
def in_place_on_a_leaf(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        loss.backward()
        z -= 0.1 * z.grad
        losses.append(loss.item())
    return z.detach(), losses


@wrong("10.5", rejected_by="returns_latent_and_losses", says="requires_grad_() last")
def z_is_no_leaf(generator, image, steps):
    z = 0.5 * torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    loss = error_of(generator(z), image)
    loss.backward()
    optimizer.step()
    return z.detach(), [loss.item()] * steps


@wrong("10.5", rejected_by="returns_latent_and_losses", says="anew from z in each step")
def image_made_before_the_loop(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    loss = error_of(generator(z), image)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return z.detach(), losses


@wrong("10.5", rejected_by="works_in_evaluation_mode", says="generator.eval() first")
def forgets_eval(generator, image, steps):
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        (z.grad,) = torch.autograd.grad(loss, z)
        optimizer.step()
        losses.append(loss.item())
    return z.detach(), losses


@wrong("10.5", rejected_by="leaves_the_generator_alone", says="mode is not put back")
def stays_in_eval(generator, image, steps):
    generator.eval()
    return descend(generator, image, steps)


@wrong("10.5", rejected_by="leaves_the_generator_alone", says="torch.autograd.grad")
def leaves_gradients(generator, image, steps):
    was = generator.training
    generator.eval()
    z = torch.randn(1, latent_size(generator), requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.1)
    losses = []
    for _ in range(steps):
        loss = error_of(generator(z), image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    generator.train(was)
    return z.detach(), losses


@wrong("10.5", rejected_by="leaves_the_generator_alone", says="was not taken back")
def stays_frozen(generator, image, steps):
    generator.requires_grad_(False)
    return descend(generator, image, steps)


@wrong("10.5", rejected_by="returns_latent_and_losses", says="return z, losses")
def latent_alone(generator, image, steps):
    return descend(generator, image, steps)[0]


@wrong("10.5", rejected_by="returns_latent_and_losses", says="z.detach()")
def latent_with_its_graph(generator, image, steps):
    z, losses = descend(generator, image, steps)
    return z.requires_grad_(), losses


@wrong("10.5", rejected_by="returns_latent_and_losses", says="the loss of every step")
def last_loss_alone(generator, image, steps):
    z, losses = descend(generator, image, steps)
    return z, losses[-1]


@wrong("10.5", rejected_by="returns_latent_and_losses", says="z comes first")
def losses_first(generator, image, steps):
    z, losses = descend(generator, image, steps)
    return losses, z


@wrong("10.5", rejected_by="returns_latent_and_losses", says="latent_size(generator)")
def a_picture_for_a_latent(generator, image, steps):
    z, losses = descend(generator, image, steps)
    return sample(generator, z), losses


@wrong("10.5", rejected_by="returns_latent_and_losses", says="moved to [0, 1]")
def compared_in_the_unit_range(generator, image, steps):
    return descend(generator, image, steps, scale=0.25)


@wrong("10.5", rejected_by="returns_latent_and_losses", says="latent_size(generator)")
def a_latent_of_a_fixed_size(generator, image, steps):
    generator(torch.randn(1, 100, requires_grad=True))
