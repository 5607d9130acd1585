#!/usr/bin/env python3
"""Writes the test vectors beside it, from docs/protocol.md alone.

A second implementation of what the vectors cover, in another language and on
another library, so that an error of the program is not also in its vectors.
Needs Python 3.9 and the packages "cryptography" and "kyber-py". The tests read
the files; only a change of the protocol runs this again.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from kyber_py.ml_kem import ML_KEM_768

VERSION = 1


def u16(number):
    return number.to_bytes(2, "big")


def u32(number):
    return number.to_bytes(4, "big")


def u64(number):
    return number.to_bytes(8, "big")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def gcm(key, nonce, aad, plaintext):
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def blob(key, nonce, aad, plaintext):
    return nonce + gcm(key, nonce, aad, plaintext)


def fingerprint(key):
    return sha256(b"Conclave fingerprint v1", key)[:16]


def public(seed):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(seed, whose, domain, message):
    """whose: b"device" or b"leaf"."""
    prefix = b"Conclave " + whose + b" signature v1"
    signed = prefix + u64(len(domain)) + domain + message
    return Ed25519PrivateKey.from_private_bytes(seed).sign(signed)


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def counted(content):
    return varint(len(content)) + content


# ---- The link (section 2) -------------------------------------------------------------------

SECRET = bytes(range(32))
MEETING = bytes(range(0x10, 0x20))
HOST_SEED = bytes(range(0x40, 0x60))
CERTIFICATE = bytes(range(0x80, 0xA0))
NONCE = bytes(range(0xC0, 0xCC))


def derive(label):
    return HKDF(SHA256(), 32, b"Conclave link v1", label).derive(SECRET)


def b64(content):
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def link_text(authority, certificate):
    text = f"conclave://{authority}/j/{b64(MEETING)}#v1.{b64(SECRET)}."
    text += b64(fingerprint(public(HOST_SEED)))
    return text + (f".{b64(certificate)}" if certificate else "")


def aad(purpose, epoch):
    return bytes([VERSION, purpose]) + MEETING + u64(epoch)


def link():
    labels = ["knock token", "descriptor key", "handshake key"]
    labels += ["group psk", "group psk id", "card psk", "card psk id"]
    outer = aad(2, 7) + u32(0)
    return {
        "secret": SECRET,
        "derived": {label.replace(" ", "_"): derive(label.encode()) for label in labels},
        "host_key": public(HOST_SEED),
        "links": [
            {"host": "meet.example.org", "port": 443, "text": link_text("meet.example.org", b"")},
            {"host": "::1", "port": 4443, "text": link_text("[::1]:4443", CERTIFICATE)},
        ],
        "meeting": MEETING,
        "certificate": CERTIFICATE,
        "outer_seal": {
            "purpose": 2,
            "epoch": 7,
            "generation": 0,
            "aad": outer,
            "plaintext": b"a commit",
            "sealed": u32(0) + blob(derive(b"handshake key"), NONCE, outer, b"a commit"),
        },
    }


# ---- Signatures and names (sections 1 and 2) ------------------------------------------------


def names():
    token = bytes(range(0x20, 0x40))
    message = b"a message"
    return {
        "device_token": token,
        "device_token_hash": sha256(token),
        "device_id": sha256(b"Conclave device id v1", sha256(token))[:16],
        "seed": HOST_SEED,
        "public": public(HOST_SEED),
        "fingerprint": fingerprint(public(HOST_SEED)),
        "domain": "Conclave identity card v1",
        "message": message,
        "device_signature": sign(HOST_SEED, b"device", b"Conclave identity card v1", message),
        "leaf_signature": sign(HOST_SEED, b"leaf", b"Conclave identity card v1", message),
    }


# ---- The door (section 4) -------------------------------------------------------------------


def door():
    knock_key = bytes(1216)
    descriptor = bytes([VERSION]) + MEETING + counted(bytes([0x77]) * 32) + varint(0)
    descriptor += counted(b"Merger of the two") + counted("Zoë".encode())
    descriptor += bytes([0x33]) * 16 + public(HOST_SEED)
    descriptor += varint(0)  # no warrants
    descriptor += varint(1) + counted(knock_key)
    descriptor += bytes([1, 0])  # waiting room, not locked
    signature = sign(HOST_SEED, b"device", b"Conclave meeting descriptor v1", descriptor)
    plaintext = descriptor + counted(signature)
    return {
        "link": link_text("meet.example.org", b""),
        "title": "Merger of the two",
        "host_name": "Zoë",
        "descriptor": descriptor,
        "signature": signature,
        "aad": aad(1, 0),
        "sealed": blob(derive(b"descriptor key"), NONCE, aad(1, 0), plaintext),
    }


# ---- A knock (section 5) --------------------------------------------------------------------


def x_wing_pair(seed):
    """draft-connolly-cfrg-xwing-kem-06, section 5.2: the public key, and its X25519 half."""
    expanded = hashlib.shake_256(seed).digest(96)
    lattice, _ = ML_KEM_768.key_derive(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:]).public_key().public_bytes_raw()
    return lattice + curve, curve


def x_wing_encapsulate(public, randomness):
    """Section 5.4, with the randomness given: the shared secret and its encapsulation."""
    lattice, curve = public[:1184], public[1184:]
    lattice_secret, lattice_text = ML_KEM_768._encaps_internal(lattice, randomness[:32])
    ours = X25519PrivateKey.from_private_bytes(randomness[32:])
    curve_secret = ours.exchange(X25519PublicKey.from_public_bytes(curve))
    curve_text = ours.public_key().public_bytes_raw()
    label = b"\\.//^\\"
    secret = hashlib.sha3_256(lattice_secret + curve_secret + curve_text + curve + label).digest()
    return secret, lattice_text + curve_text


def hpke_seal(shared_secret, psk, psk_id, info, aad, plaintext):
    """RFC 9180, sections 5.1 and 5.2: mode PSK, X-Wing, HKDF-SHA384, AES-256-GCM, first message."""
    suite = b"HPKE" + u16(0x647A) + u16(2) + u16(2)

    def extract(salt, label, content):
        salt = salt or bytes(48)
        return hmac.digest(salt, b"HPKE-v1" + suite + label + content, "sha384")

    def expand(secret, label, context, length):
        info = u16(length) + b"HPKE-v1" + suite + label + context
        return HKDFExpand(SHA384(), length, info).derive(secret)

    context = bytes([1]) + extract(b"", b"psk_id_hash", psk_id) + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", psk)
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return gcm(key, nonce, aad, plaintext)


def knock():
    seeds = [bytes([0x71]) * 32, bytes([0x72]) * 32]
    card_key, device, card = bytes([0x73]) * 32, bytes([0x33]) * 16, b"a card and what goes with it"
    bound = aad(6, 0) + device
    head = bytes([len(seeds)])
    for number, seed in enumerate(seeds):
        public_key, _ = x_wing_pair(seed)
        secret, encapsulated = x_wing_encapsulate(public_key, bytes([0x74 + number]) * 64)
        head += fingerprint(public_key) + encapsulated
        psk, psk_id = derive(b"card psk"), derive(b"card psk id")
        head += hpke_seal(secret, psk, psk_id, b"Conclave card v2", bound, card_key)
    padded = (u16(len(card)) + card).ljust(8192, b"\0")
    return {
        "secret": SECRET,
        "hosts": [{"seed": seed, "public": x_wing_pair(seed)[0]} for seed in seeds],
        "aad": bound,
        "card": card,
        "sealed": head + blob(card_key, NONCE, head + bound, padded),
    }


# ---- Signals (section 6) --------------------------------------------------------------------


def signals():
    leaf_seed, leaf, group = bytes([0x62]) * 32, 300, bytes([0x77]) * 32
    device, digest, transcript = bytes([0x33]) * 16, bytes([0x81]) * 32, bytes([0x82]) * 32
    bodies = {
        "beat": b"\0" + varint(258) + digest + transcript + varint(129) + varint(70000),
        "key_frame": b"\1" + device + bytes([2]),
        "card_wanted": b"\2" + device,
        "key_missing": b"\3" + device + varint(258),
        "state_wanted": b"\4" + device,
        "state": b"\5" + varint(258) + counted(b"a group info" * 20),
        "loss": b"\6" + device + bytes([12, 1]),
        "missed": b"\7" + varint(258) + counted(b"a commit"),
    }
    made = []
    for number, (name, body) in enumerate(bodies.items(), 127):
        head = varint(leaf) + varint(number)
        signed = bytes([VERSION]) + MEETING + counted(group) + head + body
        signature = sign(leaf_seed, b"leaf", b"Conclave signal v1", signed)
        made.append({"name": name, "number": number, "bytes": head + body + counted(signature)})
    return {
        "meeting": MEETING,
        "group": group,
        "leaf": leaf,
        "leaf_key": public(leaf_seed),
        "signals": made,
    }


# ---- The control channel (section 7) --------------------------------------------------------


def wire():
    device, token = bytes([0x33]) * 16, bytes([0x44]) * 32
    attach = MEETING + device + token + varint(300) + bytes([0x55]) * 32 + varint(70000)
    entry = varint(70000) + device + varint(0) + varint(301) + counted(b"sealed")
    return {
        "look": bytes([VERSION, 1]) + MEETING + derive(b"knock token"),
        "attach": bytes([VERSION, 3]) + attach + bytes([1]),
        "entry": bytes([VERSION, 7]) + entry,
        "too_fast": bytes([VERSION, 13, 10]),
        "removed": bytes([VERSION, 12]),
    }


# ---- Frames (section 10) --------------------------------------------------------------------


def field(number):
    if number < 8:
        return number, b""
    content = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return 8 | len(content) - 1, content


def header(kid, ctr):
    (kid_field, kid_bytes), (ctr_field, ctr_bytes) = field(kid), field(ctr)
    return bytes([kid_field << 4 | ctr_field]) + kid_bytes + ctr_bytes


def frame(base_key, kid, ctr, metadata, plaintext):
    def expand(label, length):
        info = label + u64(kid) + u16(5)
        return HKDF(SHA512(), length, b"", info).derive(base_key)

    key = expand(b"SFrame 1.0 Secret key ", 32)
    salt = expand(b"SFrame 1.0 Secret salt ", 12)
    nonce = (int.from_bytes(salt, "big") ^ ctr).to_bytes(12, "big")
    head = header(kid, ctr)
    return head + gcm(key, nonce, head + metadata, plaintext)


def media():
    base_key, leaf_seed, context = bytes([0x61]) * 32, bytes([0x62]) * 32, bytes([0x63]) * 32
    epoch, leaf = 0x1_02, 3
    frames = []
    for track, name, group, position, ctr in [
        (0, "audio", 0, 0, 0),
        (0, "audio", 0, 0, 1),
        (2, "video/medium", 9, 4, 0),
        (127, "auth", 1, 0, 0),
    ]:
        kid = track << 24 | leaf << 8 | epoch & 0xFF
        metadata = bytes([len(name)]) + name.encode() + u64(group) + u64(position)
        plaintext = f"{name} {ctr}".encode()
        frames.append(
            {
                "track": track,
                "name": name,
                "group": group,
                "frame": position,
                "kid": kid,
                "ctr": ctr,
                "metadata": metadata,
                "plaintext": plaintext,
                "sealed": frame(base_key, kid, ctr, metadata, plaintext),
            }
        )
    batch = bytes([VERSION]) + u64(epoch) + u32(leaf) + u32(0) + u16(2)
    for kid, first, sealed in [
        (frames[0]["kid"], 0, [frames[0]["sealed"], frames[1]["sealed"]]),
        (frames[2]["kid"], 0, [frames[2]["sealed"]]),
    ]:
        batch += u64(kid) + u64(first) + u16(len(sealed))
        batch += b"".join(sha256(one)[:16] for one in sealed)
    signature = sign(leaf_seed, b"leaf", b"Conclave sender batch v1", context + batch)
    return {
        "base_key": base_key,
        "epoch": epoch,
        "leaf": leaf,
        "leaf_key": public(leaf_seed),
        "frames": frames,
        "batch": {"context": context, "number": 0, "signed": batch + signature},
    }


# ---- What people compare (section 6, and identity/src/safety.rs) ----------------------------


def digits(content):
    groups = [content[at : at + 5] for at in range(0, 30, 5)]
    return "".join(f"{int.from_bytes(group, 'big') % 100000:05}" for group in groups)


def side(key):
    state = hashlib.sha512(b"Conclave safety number v1" + key + key).digest()
    for _ in range(5199):
        state = hashlib.sha512(state + key).digest()
    return state


def codes():
    authenticator = bytes(range(48))
    code = hashlib.pbkdf2_hmac("sha512", authenticator, b"Conclave security code v1", 4096, 30)
    mine, theirs = public(HOST_SEED), public(bytes([0x62]) * 32)
    return {
        "epoch_authenticator": authenticator,
        "security_code": digits(code),
        "mine": mine,
        "theirs": theirs,
        "safety_number": "".join(sorted([digits(side(mine)), digits(side(theirs))])),
        "scanned_from_theirs": b"CNSN\x01" + side(theirs)[:32] + side(mine)[:32],
    }


def readable(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: readable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return value


for make in [link, names, door, knock, signals, wire, media, codes]:
    text = json.dumps(readable(make()), indent=2, ensure_ascii=False) + "\n"
    Path(__file__).with_name(f"{make.__name__}.json").write_text(text)
