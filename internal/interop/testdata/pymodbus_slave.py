"""Slaves of pymodbus: one line of JSON on stdin says what they hold, "ready" on
stdout says where they are.

{"mode": "tcp" | "rtu-tcp" | "rtu", "device": "/dev/pts/3",
 "units": {"1": {"3": {"16": 4660}, "4": {}}}}
"""
import asyncio
import json
import sys

try:
    from pymodbus.datastore import (
        ModbusServerContext,
        ModbusSlaveContext,
        ModbusSparseDataBlock,
    )
    from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer
    from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer
except ImportError as missing:
    print(f"missing {missing}: apt-get install python3-pymodbus python3-serial-asyncio")
    sys.exit(0)


def block(registers):
    return ModbusSparseDataBlock({int(at): word for at, word in registers.items()})


def context(units):
    slaves = {
        int(unit): ModbusSlaveContext(
            hr=block(held.get("3", {})), ir=block(held.get("4", {})), zero_mode=True
        )
        for unit, held in units.items()
    }
    return ModbusServerContext(slaves=slaves, single=False)


async def main():
    job = json.loads(sys.stdin.readline())
    held = context(job["units"])
    if job["mode"] == "rtu":
        server = ModbusSerialServer(
            held, framer=ModbusRtuFramer, port=job["device"],
            baudrate=115200, bytesize=8, parity="N", stopbits=1,
        )
        await server.start()
        print("ready", job["device"], flush=True)
        await server.serve_forever()
        return
    framer = ModbusRtuFramer if job["mode"] == "rtu-tcp" else ModbusSocketFramer
    server = ModbusTcpServer(held, framer=framer, address=("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve_forever())
    await server.serving
    host, port = server.server.sockets[0].getsockname()[:2]
    print("ready", f"{host}:{port}", flush=True)
    await serving


asyncio.run(main())
