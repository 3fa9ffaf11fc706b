"""Fits the tables of din-core/src/fixed.rs: quadratics by segment, minimax over every argument.

python3 tests/reference/fixed_tables.py   # needs numpy; prints the tables
"""
import numpy as np

def rsh(x, n): return (x + (1 << (n - 1))) >> n

def cheb(f, lo, hi):
    # Interpolation at Chebyshev nodes on [0, 1], iterated exchange (Remez) for degree 2.
    u = (np.cos(np.pi * np.arange(4) / 3)[::-1] + 1) / 2
    grid = np.linspace(0, 1, 2001)
    for _ in range(20):
        A = np.stack([u**0, u, u**2, (-1.0) ** np.arange(4)], 1)
        a, b, c, e = np.linalg.solve(A, f(lo + u * (hi - lo)))
        err = f(lo + grid * (hi - lo)) - (a + b * grid + c * grid**2)
        # alternation: endpoints and the two inner extrema
        d = np.diff(np.sign(np.diff(err)))
        inner = grid[1:-1][d != 0]
        if len(inner) != 2: break
        u = np.array([0, inner[0], inner[1], 1])
    return a, b, c

sig = lambda x: 1 / (1 + np.exp(-x))

def sigmoid_q15():
    rows, worst = [], 0
    for i in range(16):
        a, b, c = [v * 32768 for v in cheb(sig, i / 2, i / 2 + 0.5)]
        s = np.arange(2048) + 2048 * i
        u = (s & 2047) << 4
        up, down = sig(s / 4096) * 32768, 32767 - sig(-(s + 1) / 4096) * 32768
        best = None
        for cc in range(round(c) - 12, round(c) + 13):
            for bb in range(round(b) - 12, round(b) + 13):
                core = rsh(u * (bb + rsh(cc * u, 15)), 15)
                lo = np.minimum(up - core, down - core).min(); hi = np.maximum(up - core, down - core).max()
                for aa in {int(np.floor((lo + hi) / 2)), int(np.ceil((lo + hi) / 2))}:
                    y = core + aa
                    if y.max() > 32767: continue
                    e = max(hi - aa, aa - lo)
                    if best is None or e < best[0]: best = (e, aa, bb, cc)
        rows.append(best[1:]); worst = max(worst, best[0])
    print("sigmoid_q15 worst", worst, "of 2^-15", worst / 32768)
    return rows

def table(name, f, segments, width, q=20):
    rows, worst = [], 0
    for i in range(segments):
        lo, hi = i * width, (i + 1) * width
        a, b, c = [int(round(v * 2**q)) for v in cheb(f, lo, hi)]
        u = np.arange(1 << 14)
        y = a + rsh(u * (b + rsh(c * u, 14)), 14)
        assert np.abs(u * (b + rsh(c * u, 14))).max() + 8192 < 2**31 and abs(c) * 16384 < 2**31 - 8192
        err = y / 2**q - f(lo + u / 16384 * width)
        worst = max(worst, np.abs(err).max())
        rows.append((a, b, c))
    print(name, "worst", worst)
    return rows

def show(name, rows):
    print(name)
    for r in rows: print("    [%s]," % ", ".join(f"{v:_}" if abs(v) >= 10000 else str(v) for v in r))

s = sigmoid_q15()
show("SIGMOID", s)
show("SCORE", table("score", sig, 64, 0.25))
show("EXP2", table("exp2", lambda x: 2.0 ** -x, 8, 1 / 8))
show("LN", table("ln", lambda x: np.log1p(x), 16, 1 / 16))
