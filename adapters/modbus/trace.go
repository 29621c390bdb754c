package modbus

import (
	"citygrid/adapters/line"
	"citygrid/schemas"
)

var _ line.Traced = (*query)(nil)

// Protocol names Modbus TCP, whose answers name their requests, or RTU.
func (q *query) Protocol() string { return q.framing.protocol() }

func (*mbap) protocol() string { return string(schemas.ModbusTCP) }
func (*rtu) protocol() string  { return string(schemas.ModbusRTU) }
