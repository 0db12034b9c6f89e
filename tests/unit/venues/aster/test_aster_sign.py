"""Signatures of AsterDEX, against vectors that two other programs agree on."""

import pytest
from coincurve import PublicKey

from pilothouse.kit.sealed import Secret
from pilothouse.venues.aster.endpoint import MAINNET_CHAIN, TESTNET_CHAIN
from pilothouse.venues.aster.sign import (
    AsterKeys,
    KeyNotOfSigner,
    KeyNotUsable,
    Signer,
    address_of,
    domain_separator,
    keccak256,
    struct_hash,
)

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&newClientOrderId=sim-0001&timeInForce=GTC&quantity=0.010&price=50000.0"
WHO = f"nonce=1760000000000000&user={ADDRESS}&signer={ADDRESS}"

VECTORS = [
    pytest.param(
        f"{WHO}&{ORDER}",
        "0x7f4ac69fd96ed14e799234e901682fd0801530d11e066eb957c27e8399ee01901b083ea816f1f5b5c5f8fc0050c3ec20539d3d92"
        "6a6e7985f4696fc2ff92251d1b",
        id="order",
    ),
    pytest.param(
        f"{ORDER}&nonce=1760000000000000&signer=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x6d460bfe18165a99a242dd6cda1b6e31694aeabc8eefdd67643b7642ee77918756eecc538654bae4404085ce23cc22f9322e6dd9"
        "bfff36967fcad021487013aa1c",
        id="order of the venue's own sample",
    ),
    pytest.param(
        WHO,
        "0xdf024011eba287e530c858c4b78cfe37a8405681d987e5b4fbe4b3df392360d3621f64e65608e767c30c2bc6934a209770f02100"
        "052f9b675bc7f2acd0b0ec091c",
        id="question",
    ),
]


@pytest.mark.parametrize(("message", "signature"), VECTORS)
def test_signatures_are_those_that_others_make(message: str, signature: str) -> None:
    """A signature that differs in one bit is refused by the venue."""
    assert Signer(Secret(KEY)).sign(message.encode()) == signature


def test_the_hashes_on_the_way_are_those_that_others_make() -> None:
    """Where a signature is wrong, this says which step was."""
    message = f"{WHO}&{ORDER}".encode()

    assert keccak256(b"Message(string msg)").hex() == "c4cfb57eea370ef2a92403a7e865b2de262d7ca272333665b54ad7e6a602ef68"
    assert domain_separator(MAINNET_CHAIN).hex() == "a95d0a7a6f3f17fcebb0c2336645385ce79cde7523f71ab147fdb7f15e9f37f9"
    assert struct_hash(message).hex() == "e48c5e5c8f2fc5a61f5141fb821298fc9c3a2b69168d3a15da8a8e705e7fdb25"
    assert (
        Signer(Secret(KEY)).digest(message).hex() == "44f1140f29ca92719976a7ab70b5b127fdba83d8c3176d3c8e718a25a1024747"
    )


def test_a_signature_of_the_testnet_is_none_for_the_main_one() -> None:
    """A key that is used on both must not let one replay what was meant for the other."""
    message = WHO.encode()
    testnet = Signer(Secret(KEY), TESTNET_CHAIN)

    assert testnet.sign(message) != Signer(Secret(KEY)).sign(message)
    assert testnet.address == ADDRESS


def test_whoever_reads_a_signature_finds_the_signer() -> None:
    """That is how the venue knows who asks."""
    signer = Signer(Secret(KEY))
    raw = bytes.fromhex(signer.sign(b"anything")[2:])
    public = PublicKey.from_signature_and_message(
        raw[:64] + bytes([raw[64] - 27]), signer.digest(b"anything"), hasher=None
    )

    assert address_of(public.format(compressed=False)) == ADDRESS


@pytest.mark.parametrize("text", ["", "0x", "12", "z" * 64, "0" * 64, "f" * 64])
def test_what_is_no_key_is_refused_without_a_word_of_it(text: str) -> None:
    """The message ends in a log."""
    with pytest.raises(KeyNotUsable) as refused:
        Signer(Secret(text))
    assert not text or text not in str(refused.value)


def test_a_key_of_another_address_is_refused_by_name() -> None:
    """Orders would all be refused, with a code that says nothing."""
    keys = AsterKeys(ADDRESS, "0x0000000000000000000000000000000000000001", Secret(KEY))

    with pytest.raises(KeyNotOfSigner, match=ADDRESS):
        Signer.of(keys, MAINNET_CHAIN)


def test_an_address_may_be_written_in_any_case() -> None:
    """Wallets write it with a checksum in its capitals."""
    keys = AsterKeys(ADDRESS, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", Secret(KEY.removeprefix("0x")))

    assert Signer.of(keys, MAINNET_CHAIN).address == ADDRESS
