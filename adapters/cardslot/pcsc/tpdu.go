package pcsc

import "fmt"

// tpdu returns the form that a short command APDU has on the line with T=0: five
// bytes of header, then data, never both data and Le [ISO/IEC 7816-3 12.2].
func tpdu(apdu []byte) ([]byte, error) {
	const header = 5
	if len(apdu) < header-1 {
		return nil, fmt.Errorf("command % X: %d bytes, want at least 4", apdu, len(apdu))
	}
	if len(apdu) == header-1 { // case 1: neither data nor Le
		return append(append([]byte(nil), apdu...), 0), nil
	}
	switch lc := int(apdu[header-1]); {
	case len(apdu) == header: // case 2: Le only
		return apdu, nil
	case lc > 0 && len(apdu) == header+lc: // case 3: data only
		return apdu, nil
	case lc > 0 && len(apdu) == header+lc+1: // case 4: both
		return apdu[:header+lc], nil
	}
	return nil, fmt.Errorf("command % X: length %d does not fit its Lc; T=0 has no extended length", apdu[:header], len(apdu))
}
