// Package cardfile codes the files of a multi-utility prepaid card: the public
// file and serial number of the card, and the files of its three applications,
// DF01 power, DF02 water and DF03 gas.
//
// The lengths, the order of the fields and the checksums are those seen in
// public readers and meter firmware of such cards; they are modelled on what
// utilities use and claim no standard. Where the sources fix a length but not a
// meaning, the doc comment of the field says that the reading is ours, and where
// they fix neither (the insides of price and step files, reserved bytes), the
// bytes are kept and written back as they were.
//
// A frame begins with 68, ends with 16, and its checksum is the sum, modulo 256,
// of everything between 68 and itself. Power frames count their data in two
// bytes, water and gas frames in one. Numbers of meters and customers are 12 BCD
// digits. Money in wallets, purchases and return files is binary, big-endian, in
// fen; the alarm limits of the power card alone are BCD.
//
// Decoding is strict: what Decode accepts, Encode gives back byte for byte, and
// what does not fit is a *FieldError that names file, field and offset. Whole
// files of 00 or FF are blank (never written) and no error of the card: ask
// Blank before decoding.
package cardfile
