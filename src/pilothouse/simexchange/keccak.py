"""Keccak-256 as Ethereum uses it: the sponge of SHA-3 with its original padding, in plain Python.

Source: the Keccak reference, G. Bertoni, J. Daemen, M. Peeters, G. Van Assche, 2011. Slow by design of the language;
an exchange for tests verifies some hundred signatures a second with it, and nothing has to be installed.
"""

_MASK = (1 << 64) - 1
_RATE = 136


def _round_constants() -> tuple[int, ...]:
    """Return the constants of the 24 rounds, from the shift register that defines them."""
    state, found = 1, []
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        found.append(constant)
    return tuple(found)


def _path() -> tuple[tuple[int, int], ...]:
    """Return where each lane goes and how far it turns (rho and pi together), in the order of the walk."""
    x, y, found = 1, 0, []
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        found.append((x + 5 * y, (step + 1) * (step + 2) // 2 % 64))
    return tuple(found)


_CONSTANTS = _round_constants()
_PATH = _path()


def _permute(lanes: list[int]) -> None:
    """Turn the 25 lanes of the state through all rounds, in place."""
    for constant in _CONSTANTS:
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        for x in range(5):
            ahead = parity[(x + 1) % 5]
            mixed = parity[x - 1] ^ ((ahead << 1 | ahead >> 63) & _MASK)
            for y in range(x, 25, 5):
                lanes[y] ^= mixed
        carried = lanes[1]
        for place, turn in _PATH:
            carried, lanes[place] = lanes[place], (carried << turn | carried >> (64 - turn)) & _MASK
        for y in range(0, 25, 5):
            a, b, c, d, e = lanes[y : y + 5]
            lanes[y] = a ^ (~b & c)
            lanes[y + 1] = b ^ (~c & d)
            lanes[y + 2] = c ^ (~d & e)
            lanes[y + 3] = d ^ (~e & a)
            lanes[y + 4] = e ^ (~a & b)
        lanes[0] ^= constant


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of the digest."""
    padded = bytearray(data)
    padded.extend(bytes(_RATE - len(data) % _RATE))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            lanes[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
