package completeness

import "citygrid/schemas"

// advice says what an operator does about slots lost for a reason.
var advice = map[Reason]string{
	Reason(schemas.LossOff):     "look why the collector stood: power, its log, systemctl status",
	Reason(schemas.LossClock):   "see that NTP runs on the collector",
	Reason(schemas.LossBusy):    "the line has no time for its schedule: longer intervals, fewer meters on it, or a second line",
	Reason(schemas.LossLine):    "look at the gateway or port of the line: power, network, collector probe",
	Reason(schemas.LossSilent):  "look at the meter: power, wiring, address; collector probe says more",
	Reason(schemas.LossRefused): "look at what the meter answers in its diagnosis: profile, address, its own faults",
	Reason(schemas.LossDisk):    "mend the way to the hub, or give the spool more room (spool.quota, disk)",
	Reason(schemas.LossAge):     "dropped as spool.drop_after says; mend the way to the hub",
	Reason(schemas.LossFull):    "dropped as spool.when_full says; mend the way to the hub, or give the spool more room",
	StoreLost:                   "the store lost it: was it restored from a back-up? meters that remember were asked",
	Unknown:                     "read and not here: it waits in the collector's spool, or was destroyed with it; collector spool ls",
	NoWord:                      "the collector says nothing: look at its power, its network and the broker; its meters may remember",
}

// Do says what an operator does about it.
func (r Reason) Do() string { return advice[r] }
