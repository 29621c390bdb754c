// Package yeargrid plays a simulated year of cases of a district through the real
// thing, and holds the outcome against what the simulator knows: no allowed act is
// refused, every act that is not allowed is, and the indicators are equal to the
// last count.
package yeargrid
