"""Slaves of libmodbus, with its C interface of 3.1: one line of JSON on stdin
says what they hold, "ready" on stdout says where they are. Over TCP one slave
stands for all units; on a serial line each unit has its own port, as one slave
of libmodbus is one unit.

{"mode": "tcp" | "rtu", "devices": {"1": "/dev/pts/3"},
 "units": {"1": {"3": {"16": 4660}, "4": {}}}}
"""
import ctypes
import json
import os
import socket
import sys
import threading

REGISTERS = 65535


class Mapping(ctypes.Structure):
    """modbus_mapping_t of modbus.h."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            "nb_bits", "start_bits", "nb_input_bits", "start_input_bits",
            "nb_input_registers", "start_input_registers", "nb_registers", "start_registers",
        )
    ] + [
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    ]


def load():
    try:
        lib = ctypes.CDLL("libmodbus.so.5", use_errno=True)
    except OSError as missing:
        print(f"missing {missing}: apt-get install libmodbus5")
        sys.exit(0)
    for name in ("modbus_new_tcp", "modbus_new_rtu"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    return lib


def mapping(lib, held):
    m = lib.modbus_mapping_new(0, 0, REGISTERS, REGISTERS)
    for at, word in held.get("3", {}).items():
        m.contents.tab_registers[int(at)] = word
    for at, word in held.get("4", {}).items():
        m.contents.tab_input_registers[int(at)] = word
    return m


def serve(lib, context, unit_at, mappings):
    """Answers until the master leaves."""
    request = (ctypes.c_uint8 * 260)()
    while True:
        n = lib.modbus_receive(context, request)
        if n < 0:
            return
        if n > 0:
            lib.modbus_reply(context, request, n, mappings[request[unit_at]])


def main():
    lib = load()
    job = json.loads(sys.stdin.readline())
    mappings = {int(unit): mapping(lib, held) for unit, held in job["units"].items()}
    if job["mode"] == "tcp":
        context = ctypes.c_void_p(lib.modbus_new_tcp(b"127.0.0.1", 0))
        listener = lib.modbus_tcp_listen(context, 1)
        if listener < 0:
            sys.exit("modbus_tcp_listen failed")
        port = socket.socket(fileno=os.dup(listener)).getsockname()[1]
        print("ready", f"127.0.0.1:{port}", flush=True)
        while lib.modbus_tcp_accept(context, ctypes.byref(ctypes.c_int(listener))) >= 0:
            serve(lib, context, 6, mappings)
        return
    threads = []
    for unit, device in job["devices"].items():
        context = ctypes.c_void_p(
            lib.modbus_new_rtu(device.encode(), 115200, ctypes.c_char(b"N"), 8, 1)
        )
        lib.modbus_set_slave(context, int(unit))
        if lib.modbus_connect(context) < 0:
            sys.exit(f"modbus_connect {device} failed")
        threads.append(threading.Thread(target=serve, args=(lib, context, 0, mappings), daemon=True))
    for thread in threads:
        thread.start()
    print("ready", "bus", flush=True)
    for thread in threads:
        thread.join()


main()
