// Package interop has tests only: here meet the halves that may not import each
// other, and programs by other authors.
//
// The drivers (adapters) and the simulated meters (simulators) were written
// apart, from the same standards and profiles. If both are wrong in the same
// way, no test of either shows it. So the drivers also read slaves of pymodbus
// and libmodbus, and the simulated meters are also read by mbpoll and pymodbus,
// whose authors know neither.
//
// The other programs come from Debian: mbpoll, libmodbus5, python3-pymodbus and
// python3-serial-asyncio. Where one is missing, its tests are skipped and say so.
package interop
