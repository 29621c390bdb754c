package modbus

import (
	"errors"
	"fmt"
	"time"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
)

// errIdleLost: the connection was lost between two requests. Nothing was under
// way, so nothing need be waited for.
var errIdleLost = errors.New("connection lost while idle")

// noAnswer is a request that got no answer in time.
type noAnswer struct{ within time.Duration }

// Error says how long was waited.
func (e *noAnswer) Error() string {
	return fmt.Sprintf("no answer within %s: check the unit's address, its wiring and the timeout", e.within)
}

// Timeout reports true, as net.Error does.
func (e *noAnswer) Timeout() bool { return true }

// dialError is a connection that could not be made.
type dialError struct{ err error }

// Error says what the network answered.
func (e *dialError) Error() string { return "connect: " + e.err.Error() }

// Unwrap returns the cause.
func (e *dialError) Unwrap() error { return e.err }

// classOf says what a failed request means. Only exceptions [Modbus 7] are ever
// more than transient: the device has understood the request and refuses it.
func classOf(err error) adapters.Class {
	var e *gb.ModbusError
	if !errors.As(err, &e) {
		return adapters.Transient
	}
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
// the line does without transaction ids already.
func explain(err error, noIDs bool) error {
	var (
		exception *gb.ModbusError
		dial      *dialError
		frame     *frameError
		hint      string
	)
	switch {
	case errors.As(err, &exception):
		hint = hintOf(exception)
	case errors.As(err, &dial):
		hint = ": look whether the gateway is on the network and the port is right"
	case errors.As(err, &frame) && noIDs:
		hint = ": another master on the line, or answers that come later than the quiet time: see quiet_time"
	case errors.As(err, &frame):
		hint = ": another master on the line, or a gateway that does not return ids: see no_transaction_id"
	}
	return fmt.Errorf("%w%s", err, hint)
}

func hintOf(e *gb.ModbusError) string {
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
	var e *gb.ModbusError
	return errors.As(err, &e) &&
		(e.ExceptionCode == gb.ExceptionCodeIllegalDataAddress || e.ExceptionCode == gb.ExceptionCodeIllegalDataValue)
}

// refusedByDevice reports an exception that the device itself sent, or the
// gateway in its place when that has no answer from it.
func refusedByDevice(err error) bool {
	var e *gb.ModbusError
	return errors.As(err, &e) && e.ExceptionCode != gb.ExceptionCodeGatewayPathUnavailable &&
		e.ExceptionCode != gb.ExceptionCodeGatewayTargetDeviceFailedToRespond
}
