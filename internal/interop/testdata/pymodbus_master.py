"""A master of pymodbus with a decoder of its own: one line of JSON on stdin says
what to read, one on stdout what was read. Numbers are exact: fractions, and for
floats the shortest decimal that gives the same bits.

{"mode": "tcp" | "rtu", "host": "127.0.0.1", "port": 502, "device": "/dev/pts/3",
 "fields": [{"unit": 1, "states": {"1": 0}, "mask": 3,
             "parts": [{"function": 3, "at": 0, "type": "f32", "words": 2,
                        "order": "ABCD", "times": 1, "shift": 0, "places": 0}]}]}
"""
import json
import struct
import sys
from fractions import Fraction

try:
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
except ImportError as missing:
    print(f"missing {missing}: apt-get install python3-pymodbus python3-serial-asyncio")
    sys.exit(0)


def arrange(words, order):
    """The bytes, most significant first."""
    if order in ("CDAB", "DCBA"):
        words = words[::-1]
    raw = b"".join(struct.pack(">H", w) for w in words)
    if order in ("BADC", "DCBA"):
        raw = b"".join(raw[i + 1 : i + 2] + raw[i : i + 1] for i in range(0, len(raw), 2))
    return raw


def shortest(raw, code):
    value = struct.unpack(">" + code, raw)[0]
    for digits in range(17):
        text = f"{value:.{digits}e}"
        if struct.pack(">" + code, float(text)) == raw:
            return Fraction(text)
    raise ValueError(raw.hex())


def number(part, words):
    raw, kind = arrange(words, part["order"]), part["type"]
    if kind == "f32":
        value = shortest(raw, "f")
    elif kind == "f64":
        value = shortest(raw, "d")
    elif kind == "bcd":
        value = Fraction(int(raw.hex()))
    else:
        value = Fraction(int.from_bytes(raw, "big", signed=kind[0] == "i"))
    value *= part["times"] * Fraction(10) ** part["shift"]
    if part["places"]:
        value = round(value, part["places"])
    return value


def main():
    job = json.loads(sys.stdin.readline())
    if job["mode"] == "rtu":
        client = ModbusSerialClient(
            job["device"], baudrate=115200, bytesize=8, parity="N", stopbits=1, timeout=3
        )
    else:
        client = ModbusTcpClient(job["host"], port=job["port"], timeout=3)
    if not client.connect():
        sys.exit("no connection")

    def registers(unit, part):
        read = {3: client.read_holding_registers, 4: client.read_input_registers}[part["function"]]
        answer = read(part["at"], part["words"], slave=unit)
        if answer.isError():
            sys.exit(f"unit {unit}, {part}: {answer}")
        return answer.registers

    values = []
    for field in job["fields"]:
        if field["states"]:
            word = registers(field["unit"], field["parts"][0])[0] & (field["mask"] or 0xFFFF)
            value = Fraction(field["states"][str(word)])
        else:
            value = sum(number(p, registers(field["unit"], p)) for p in field["parts"])
        values.append(f"{value.numerator}/{value.denominator}")
    print(json.dumps(values), flush=True)


main()
