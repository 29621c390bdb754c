// Package imports is the import policy of the project. The policy is data in
// its test, and the test is the gate: the folder list is the architecture only
// as long as no package reaches across it.
//
// To change the policy is to change the design: write why in docs/decisions.
// It is never changed to make a build pass.
package imports
