package modbus

import (
	"errors"
	"fmt"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
	"citygrid/adapters/line"
)

// exception is the device's own error, or that of the gateway before it
// [Modbus 7].
type exception struct {
	function uint8 // that was asked for
	code     byte
}

// Error says who refuses what, why, and what the operator can do about it.
func (e *exception) Error() string {
	who := "meter"
	if e.fromGateway() {
		who = "gateway"
	}
	name, advice := meaning(e.code)
	return fmt.Sprintf("the %s refuses function %d: exception %02X, %s: %s", who, e.function, e.code, name, advice)
}

// meaning returns the name of an exception code [Modbus 7] and what an operator
// makes of it.
func meaning(code byte) (name, advice string) {
	known := map[byte][2]string{
		gb.ExceptionCodeIllegalFunction:                    {"illegal function", "it does not have this function; compare function in the profile with the meter's manual"},
		gb.ExceptionCodeIllegalDataAddress:                 {"illegal data address", "it has no such register; compare the profile, which counts registers from 0, with the meter's manual"},
		gb.ExceptionCodeIllegalDataValue:                   {"illegal data value", "it does not give these registers together; compare the profile and its max_registers with the meter's manual"},
		gb.ExceptionCodeServerDeviceFailure:                {"device failure", "it has a fault of its own; have it looked at if this stays"},
		gb.ExceptionCodeAcknowledge:                        {"accepted, needs time", "it is asked again later"},
		gb.ExceptionCodeServerDeviceBusy:                   {"device busy", "it is asked again later; if this stays, look for another master that asks it"},
		gb.ExceptionCodeMemoryParityError:                  {"memory parity error", "its memory is damaged; have it looked at if this stays"},
		gb.ExceptionCodeGatewayPathUnavailable:             {"gateway has no path", "check the meter's unit address, and the serial settings of the gateway"},
		gb.ExceptionCodeGatewayTargetDeviceFailedToRespond: {"no answer behind the gateway", "the meter behind it is silent; check its unit address, wiring and power"},
	}
	if m, ok := known[code]; ok {
		return m[0], m[1]
	}
	return "reserved", "the standard does not define this code; look it up in the meter's manual"
}

func (e *exception) fromGateway() bool {
	return e.code == gb.ExceptionCodeGatewayPathUnavailable || e.code == gb.ExceptionCodeGatewayTargetDeviceFailedToRespond
}

// Class says what it means for the schedule: the device has understood the
// request and refuses it.
func (e *exception) Class() adapters.Class {
	switch e.code {
	case gb.ExceptionCodeIllegalFunction, gb.ExceptionCodeIllegalDataAddress, gb.ExceptionCodeIllegalDataValue:
		return adapters.Config
	case gb.ExceptionCodeAcknowledge, gb.ExceptionCodeServerDeviceBusy,
		gb.ExceptionCodeGatewayPathUnavailable, gb.ExceptionCodeGatewayTargetDeviceFailedToRespond:
		return adapters.Transient
	}
	return adapters.Slow
}

// explain adds to the error of a frame that answers nothing what the operator can
// do about it. noIDs says that answers have no transaction ids in any case.
func explain(err error, noIDs bool) error {
	var frame *line.FrameError
	switch {
	case !errors.As(err, &frame):
		return err
	case noIDs:
		return fmt.Errorf("%w: another master on the line, or noise, or answers that come later than the quiet time: see quiet_time", err)
	}
	return fmt.Errorf("%w: another master on the line, or a gateway that does not return ids: see no_transaction_id", err)
}

// refusesSpan reports an exception by which a device may mean that it will not
// have these registers read together: an address between them that it does not
// have (02), or too many of them (03) [Modbus 6.3].
func refusesSpan(err error) bool {
	var e *exception
	return errors.As(err, &e) &&
		(e.code == gb.ExceptionCodeIllegalDataAddress || e.code == gb.ExceptionCodeIllegalDataValue)
}

// refusedByGateway reports an exception that the gateway sent in the device's
// place, because it has no answer from that.
func refusedByGateway(err error) bool {
	var e *exception
	return errors.As(err, &e) && e.fromGateway()
}
