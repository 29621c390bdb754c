package schemas

import (
	"fmt"
	"slices"
)

// Quantity names what a reading measures: medium, kind and, where there are
// several, phase or direction, joined by dots ("power.voltage.l1").
type Quantity string

// Unit is a UCUM code ("m3", "kW.h", "V"); "1" is a pure number or a code.
type Unit string

// Medium is what the meter meters.
type Medium string

// The media.
const (
	Water Medium = "water"
	Power Medium = "power"
	Gas   Medium = "gas"
	// Device is for quantities of the meter itself: battery, signal.
	Device Medium = "device"
)

// Kind says how a quantity behaves over time, and so which checks apply.
type Kind uint8

// The kinds.
const (
	// Gauge goes up and down: flow, voltage, credit.
	Gauge Kind = iota
	// Counter only grows, until its register rolls over.
	Counter
	// State is a small code from the quantity's list.
	State
)

// String returns "gauge", "counter" or "state".
func (k Kind) String() string {
	switch k {
	case Gauge:
		return "gauge"
	case Counter:
		return "counter"
	case State:
		return "state"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// QuantityInfo is a row of the table of quantities.
type QuantityInfo struct {
	Quantity Quantity
	Medium   Medium
	Unit     Unit
	Kind     Kind
	// Min and Max bound what is physically possible for any meter, in Unit; a
	// value outside is Suspect with ReasonRange. Both zero: no bound.
	Min, Max float64
	// States names the codes of a State quantity, index = code.
	States []string
	// ZH and EN are the names that people see.
	ZH, EN string
}

// Info returns the quantity's row of the table.
func (q Quantity) Info() (QuantityInfo, bool) {
	i, ok := quantityIndex[q]
	if !ok {
		return QuantityInfo{}, false
	}
	return quantityTable[i], true
}

// Quantities returns the whole table, in the order of its definition.
func Quantities() []QuantityInfo { return slices.Clone(quantityTable) }

// valveStates are the codes of water.valve.state and gas.valve.state. The
// actual state of the valve, never the commanded one (metering standards keep
// the two in different bits).
var valveStates = []string{"closed", "open", "abnormal", "moving"}

// switchStates are the codes of a relay: of the contacts, or of the order that
// they were given. A standard keeps the two in different bits
// [DL/T 645-2007, status word 3].
var switchStates = []string{"closed", "open"}

// yesNo are the codes of a plain condition.
var yesNo = []string{"no", "yes"}

// coverStates are the codes of the contact under a cover, floatStates those of a
// float switch.
var (
	coverStates = []string{"closed", "open"}
	floatStates = []string{"dry", "wet"}
)

var quantityTable = []QuantityInfo{
	{"water.volume.forward", Water, "m3", Counter, 0, 1e12, nil, "正向累计水量", "Forward volume"},
	{"water.volume.reverse", Water, "m3", Counter, 0, 1e12, nil, "反向累计水量", "Reverse volume"},
	{"water.volume.net", Water, "m3", Gauge, -1e12, 1e12, nil, "净累计水量", "Net volume"},
	{"water.flow", Water, "m3/h", Gauge, -1e5, 1e5, nil, "瞬时流量", "Flow"},
	{"water.velocity", Water, "m/s", Gauge, -50, 50, nil, "流速", "Velocity"},
	{"water.pressure", Water, "kPa", Gauge, -101, 1e5, nil, "水压", "Pressure"},
	{"water.temperature", Water, "Cel", Gauge, -50, 200, nil, "水温", "Temperature"},
	{"water.credit.volume", Water, "m3", Gauge, -1e6, 1e9, nil, "剩余水量", "Remaining volume"},
	{"water.credit.money", Water, "CNY", Gauge, -1e9, 1e9, nil, "剩余金额", "Remaining money"},
	{"water.purchase.count", Water, "1", Gauge, 0, 65535, nil, "购水次数", "Purchases"},
	{"water.purchase.last", Water, "CNY", Gauge, 0, 1e9, nil, "上次购水金额", "Last purchase"},
	{"water.purchase.total", Water, "CNY", Counter, 0, 1e12, nil, "累计购水金额", "Money bought"},
	{"water.valve.state", Water, "1", State, 0, 3, valveStates, "阀门状态", "Valve"},
	{"water.pipe.state", Water, "1", State, 0, 1, []string{"full", "empty"}, "管道状态", "Pipe"},
	{"water.signal.quality", Water, "1", Gauge, 0, 100, nil, "信号质量", "Signal quality"},

	{"power.energy.import", Power, "kW.h", Counter, 0, 1e12, nil, "正向有功电能", "Imported energy"},
	{"power.energy.export", Power, "kW.h", Counter, 0, 1e12, nil, "反向有功电能", "Exported energy"},
	{"power.energy.total", Power, "kW.h", Counter, 0, 1e12, nil, "组合有功电能", "Total energy"},
	{"power.energy.import.l1", Power, "kW.h", Counter, 0, 1e12, nil, "A相正向有功电能", "Imported energy L1"},
	{"power.energy.import.l2", Power, "kW.h", Counter, 0, 1e12, nil, "B相正向有功电能", "Imported energy L2"},
	{"power.energy.import.l3", Power, "kW.h", Counter, 0, 1e12, nil, "C相正向有功电能", "Imported energy L3"},
	{"power.energy.reactive.import", Power, "kvar.h", Counter, 0, 1e12, nil, "正向无功电能", "Imported reactive energy"},
	{"power.energy.reactive.export", Power, "kvar.h", Counter, 0, 1e12, nil, "反向无功电能", "Exported reactive energy"},
	{"power.active", Power, "W", Gauge, -1e9, 1e9, nil, "总有功功率", "Active power"},
	{"power.active.l1", Power, "W", Gauge, -1e9, 1e9, nil, "A相有功功率", "Active power L1"},
	{"power.active.l2", Power, "W", Gauge, -1e9, 1e9, nil, "B相有功功率", "Active power L2"},
	{"power.active.l3", Power, "W", Gauge, -1e9, 1e9, nil, "C相有功功率", "Active power L3"},
	{"power.reactive", Power, "var", Gauge, -1e9, 1e9, nil, "总无功功率", "Reactive power"},
	{"power.apparent", Power, "V.A", Gauge, -1e9, 1e9, nil, "总视在功率", "Apparent power"},
	{"power.factor", Power, "1", Gauge, -1, 1, nil, "功率因数", "Power factor"},
	{"power.frequency", Power, "Hz", Gauge, 0, 500, nil, "频率", "Frequency"},
	{"power.voltage", Power, "V", Gauge, 0, 1e6, nil, "平均相电压", "Mean voltage"},
	{"power.voltage.l1", Power, "V", Gauge, 0, 1e6, nil, "A相电压", "Voltage L1"},
	{"power.voltage.l2", Power, "V", Gauge, 0, 1e6, nil, "B相电压", "Voltage L2"},
	{"power.voltage.l3", Power, "V", Gauge, 0, 1e6, nil, "C相电压", "Voltage L3"},
	{"power.current.l1", Power, "A", Gauge, -1e6, 1e6, nil, "A相电流", "Current L1"},
	{"power.current.l2", Power, "A", Gauge, -1e6, 1e6, nil, "B相电流", "Current L2"},
	{"power.current.l3", Power, "A", Gauge, -1e6, 1e6, nil, "C相电流", "Current L3"},
	{"power.energy.import.t1", Power, "kW.h", Counter, 0, 1e12, nil, "正向有功电能 费率1", "Imported energy, tariff 1"},
	{"power.energy.import.t2", Power, "kW.h", Counter, 0, 1e12, nil, "正向有功电能 费率2", "Imported energy, tariff 2"},
	{"power.energy.import.t3", Power, "kW.h", Counter, 0, 1e12, nil, "正向有功电能 费率3", "Imported energy, tariff 3"},
	{"power.energy.import.t4", Power, "kW.h", Counter, 0, 1e12, nil, "正向有功电能 费率4", "Imported energy, tariff 4"},
	{"power.credit.energy", Power, "kW.h", Gauge, -1e6, 1e9, nil, "剩余电量", "Remaining energy"},
	{"power.overdraft.energy", Power, "kW.h", Gauge, 0, 1e9, nil, "透支电量", "Overdrawn energy"},
	{"power.credit.money", Power, "CNY", Gauge, -1e9, 1e9, nil, "剩余金额", "Remaining money"},
	{"power.overdraft.money", Power, "CNY", Gauge, 0, 1e9, nil, "透支金额", "Overdrawn money"},
	{"power.purchase.count", Power, "1", Gauge, 0, 65535, nil, "购电次数", "Purchases"},
	{"power.purchase.last", Power, "CNY", Gauge, 0, 1e9, nil, "上次购电金额", "Last purchase"},
	{"power.purchase.total", Power, "CNY", Counter, 0, 1e12, nil, "累计购电金额", "Money bought"},
	{"power.relay.state", Power, "1", State, 0, 1, switchStates, "继电器状态", "Relay"},
	{"power.relay.command", Power, "1", State, 0, 1, switchStates, "继电器命令状态", "Relay command"},
	{"power.relay.alarm", Power, "1", State, 0, 1, yesNo, "预跳闸报警", "Alarm before tripping"},
	{"power.ratio.current", Power, "1", Gauge, 0, 1e6, nil, "电流互感器变比", "Current transformer ratio"},
	{"power.ratio.voltage", Power, "1", Gauge, 0, 1e6, nil, "电压互感器变比", "Voltage transformer ratio"},

	{"gas.volume.standard", Gas, "m3", Counter, 0, 1e12, nil, "标况累计气量", "Standard volume"},
	{"gas.volume.working", Gas, "m3", Counter, 0, 1e12, nil, "工况累计气量", "Working volume"},
	{"gas.flow.standard", Gas, "m3/h", Gauge, 0, 1e6, nil, "标况流量", "Standard flow"},
	{"gas.flow.working", Gas, "m3/h", Gauge, 0, 1e6, nil, "工况流量", "Working flow"},
	{"gas.temperature", Gas, "Cel", Gauge, -60, 200, nil, "气体温度", "Gas temperature"},
	{"gas.pressure", Gas, "kPa", Gauge, -101, 1e5, nil, "气体压力", "Gas pressure"},
	{"gas.credit.volume", Gas, "m3", Gauge, -1e6, 1e9, nil, "剩余气量", "Remaining volume"},
	{"gas.credit.money", Gas, "CNY", Gauge, -1e9, 1e9, nil, "剩余金额", "Remaining money"},
	{"gas.purchase.count", Gas, "1", Gauge, 0, 65535, nil, "购气次数", "Purchases"},
	{"gas.purchase.last", Gas, "CNY", Gauge, 0, 1e9, nil, "上次购气金额", "Last purchase"},
	{"gas.purchase.total", Gas, "CNY", Counter, 0, 1e12, nil, "累计购气金额", "Money bought"},
	{"gas.volume.total", Gas, "m3", Counter, 0, 1e12, nil, "累计气量", "Volume"},
	{"gas.valve.state", Gas, "1", State, 0, 3, valveStates, "阀门状态", "Valve"},

	{"device.battery.voltage", Device, "V", Gauge, 0, 60, nil, "电池电压", "Battery voltage"},
	{"device.battery.state", Device, "1", State, 0, 1, []string{"ok", "low"}, "电池状态", "Battery"},
	{"device.status.word1", Device, "1", Gauge, 0, 65535, nil, "状态字1", "Status word 1"},
	{"device.status.word2", Device, "1", Gauge, 0, 65535, nil, "状态字2", "Status word 2"},
	{"device.status.word3", Device, "1", Gauge, 0, 65535, nil, "状态字3", "Status word 3"},
	{"device.status.word4", Device, "1", Gauge, 0, 65535, nil, "状态字4", "Status word 4"},
	{"device.status.word5", Device, "1", Gauge, 0, 65535, nil, "状态字5", "Status word 5"},
	{"device.status.word6", Device, "1", Gauge, 0, 65535, nil, "状态字6", "Status word 6"},
	{"device.status.word7", Device, "1", Gauge, 0, 65535, nil, "状态字7", "Status word 7"},
	{"device.cover.state", Device, "1", State, 0, 1, coverStates, "井盖状态", "Cover"},
	{"device.cover.tilt", Device, "deg", Gauge, 0, 180, nil, "井盖倾角", "Tilt of the cover"},
	{"device.chamber.level", Device, "m", Gauge, -10, 100, nil, "井内水位", "Water level in the chamber"},
	{"device.chamber.float", Device, "1", State, 0, 1, floatStates, "水位开关", "Float switch"},
	{"device.card.status", Device, "1", Gauge, 0, 65535, nil, "插卡状态字", "Card status word"},
}

var quantityIndex = func() map[Quantity]int {
	m := make(map[Quantity]int, len(quantityTable))
	for i, q := range quantityTable {
		m[q.Quantity] = i
	}
	return m
}()
