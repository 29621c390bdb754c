package modbus

import (
	"errors"
	"fmt"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
	"citygrid/adapters/line"
)

// exception is the device's own error [Modbus 7].
type exception struct{ gb.ModbusError }

// Class says what it means for the schedule: the device has understood the
// request and refuses it.
func (e *exception) Class() adapters.Class {
	switch e.ExceptionCode {
	case gb.ExceptionCodeIllegalFunction, gb.ExceptionCodeIllegalDataAddress, gb.ExceptionCodeIllegalDataValue:
		return adapters.Config
	case gb.ExceptionCodeAcknowledge, gb.ExceptionCodeServerDeviceBusy,
		gb.ExceptionCodeGatewayPathUnavailable, gb.ExceptionCodeGatewayTargetDeviceFailedToRespond:
		return adapters.Transient
	}
	return adapters.Slow
}

// explain adds to an error what the operator can do about it. noIDs says that
// answers have no transaction ids in any case.
func explain(err error, noIDs bool) error {
	var (
		exception *exception
		frame     *line.FrameError
		hint      string
	)
	switch {
	case errors.As(err, &exception):
		hint = hintOf(exception)
	case errors.As(err, &frame) && noIDs:
		hint = ": another master on the line, or noise, or answers that come later than the quiet time: see quiet_time"
	case errors.As(err, &frame):
		hint = ": another master on the line, or a gateway that does not return ids: see no_transaction_id"
	}
	return fmt.Errorf("%w%s", err, hint)
}

func hintOf(e *exception) string {
	switch e.ExceptionCode {
	case gb.ExceptionCodeIllegalFunction, gb.ExceptionCodeIllegalDataAddress, gb.ExceptionCodeIllegalDataValue:
		return ": compare the profile with the meter's register list"
	case gb.ExceptionCodeGatewayPathUnavailable, gb.ExceptionCodeGatewayTargetDeviceFailedToRespond:
		return ": the gateway answers, the meter behind it does not; check its unit address and wiring"
	case gb.ExceptionCodeServerDeviceFailure:
		return ": the meter reports a fault of its own"
	}
	return ""
}

// refusesSpan reports an exception by which a device may mean that it will not
// have these registers read together: an address between them that it does not
// have (02), or too many of them (03) [Modbus 6.3].
func refusesSpan(err error) bool {
	var e *exception
	return errors.As(err, &e) &&
		(e.ExceptionCode == gb.ExceptionCodeIllegalDataAddress || e.ExceptionCode == gb.ExceptionCodeIllegalDataValue)
}

// refusedByGateway reports an exception that the gateway sent in the device's
// place, because it has no answer from that.
func refusedByGateway(err error) bool {
	var e *exception
	return errors.As(err, &e) && (e.ExceptionCode == gb.ExceptionCodeGatewayPathUnavailable ||
		e.ExceptionCode == gb.ExceptionCodeGatewayTargetDeviceFailedToRespond)
}
