package cases

// guardPerson keeps the halves of pairs with different persons.
func (c *Case) guardPerson(act Act, actor Actor) Why {
	switch act {
	case ActTake, ActAskReturn, ActAskExtension, ActAskSuspension, ActFeedBack:
		if in(actor.Person, c.Judges) {
			return WhyJudge
		}
	case ActResume:
		if actor.Role == Department && in(actor.Person, c.Judges) {
			return WhyJudge
		}
	case ActApprove, ActRefuse:
		if c.Request.By.Person == actor.Person {
			return WhyOwnRequest
		}
		if in(actor.Person, c.Parties) {
			return WhyParty
		}
	case ActSendCheck, ActAnswerCheck, ActRework, ActClose:
		if in(actor.Person, c.Parties) {
			return WhyParty
		}
	}
	return ""
}

// guard asks what else the page asks of the case and the actor. The table has
// allowed role and state.
func (c *Case) guard(act Act, actor Actor, r *Rules) Why {
	switch act {
	case ActClassify, ActNote, ActAskVoid, ActAskReturn, ActAskExtension, ActAskSuspension:
		return c.guardSmall(act, actor)
	case ActAnswerVerify:
		return unless(c.Verifier == actor.Person, WhyNotSent)
	case ActAccept:
		return c.guardAccept(actor, r)
	case ActFile:
		return c.guardSensor(actor, r, func() bool { return r.SensorFiles })
	case ActDispatch:
		return unless(actor.Person != System || r == nil || r.dispatches(c.Class), WhyRules)
	case ActTake:
		return c.guardTake(actor)
	case ActWithdraw:
		return unless(c.Request.By.Person == actor.Person && c.Request.By.Role == actor.Role, WhyNotOwn)
	case ActResume:
		return unless(actor.Role != Department || actor.Department == c.Handler, WhyNotYours)
	case ActFeedBack:
		return first(unless(actor.Department == c.Handler, WhyNotYours), unless(c.Request == nil, WhyRequestOpen))
	case ActSendCheck, ActAnswerCheck:
		return c.guardCheck(act, actor, r)
	case ActRework:
		return unless(c.Checked == No, WhyOutcome)
	case ActClose:
		return c.guardClose(actor, r)
	case ActCleared:
		return first(unless(c.Report.Source == SourceSensor, WhyNoSensor), unless(!c.Cleared, WhyCleared))
	}
	return ""
}

// unless returns w where ok is false.
func unless(ok bool, w Why) Why {
	if ok {
		return ""
	}
	return w
}

// first returns the first reason that is one.
func first(list ...Why) Why {
	for _, w := range list {
		if w != "" {
			return w
		}
	}
	return ""
}

// guardSmall is for the acts that do not move a case.
func (c *Case) guardSmall(act Act, actor Actor) Why {
	if c.Entries >= MaxEntries {
		return WhyFull
	}
	yours := actor.Role != Department || in(actor.Department, c.SentTo)
	if c.Handler != "" && act != ActNote && actor.Role == Department {
		yours = actor.Department == c.Handler
	}
	switch {
	case !yours:
		return WhyNotYours
	case act.opens() != "" && c.Request != nil:
		return WhyRequestOpen
	case act == ActAskExtension && !c.Limit.Known():
		return WhyNoLimit
	}
	return ""
}

// guardSensor keeps the role sensor to its own cases and to what the rules let it.
func (c *Case) guardSensor(actor Actor, r *Rules, lets func() bool) Why {
	if actor.Role != Sensor {
		return ""
	}
	return first(unless(c.Report.Source == SourceSensor, WhyNoSensor), unless(r == nil || lets(), WhyRules))
}

func (c *Case) guardAccept(actor Actor, r *Rules) Why {
	if w := c.guardSensor(actor, r, func() bool { return r.SensorAccepts }); w != "" {
		return w
	}
	if c.State == Reported {
		return unless(c.Report.Source.TakenAsSeen(), WhyUnverified)
	}
	return unless(c.Verified == Yes, WhyOutcome)
}

// guardTake: a department that has asked to be let off does not take the case before
// it withdraws that; what another department asked does not hinder it.
func (c *Case) guardTake(actor Actor) Why {
	own := c.Request != nil && c.Request.Kind == Return && c.Request.By.Department == actor.Department
	return first(unless(in(actor.Department, c.SentTo), WhyNotYours), unless(!own, WhyRequestOpen))
}

func (c *Case) guardCheck(act Act, actor Actor, r *Rules) Why {
	if actor.Role == Sensor {
		return first(c.guardSensor(actor, r, func() bool { return r.SensorChecks }), unless(c.Cleared, WhyEventOpen))
	}
	return unless(act != ActAnswerCheck || actor.Person == c.Checker, WhyNotSent)
}

func (c *Case) guardClose(actor Actor, r *Rules) Why {
	if w := c.guardSensor(actor, r, func() bool { return r.SensorCloses }); w != "" {
		return w
	}
	if c.State == Checked {
		return unless(c.Checked == Yes, WhyOutcome)
	}
	return first(
		unless(actor.Role != Sensor, WhyState),
		unless(c.Report.SelfHandled, WhySelfHandled),
		unless(c.HandledMedia, WhyNoMedia),
		unless(actor.Person != c.Reporter.Person, WhyOwnReport))
}
