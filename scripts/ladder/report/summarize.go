package report

// windowKey identifies the windows that are summarized together.
type windowKey struct {
	kind, traffic, endpoint string
	offered                 float64
}

// Summarize computes the windows and the falls of all rungs from the samples, and the rungs that they are compared with.
func (r *Report) Summarize() {
	r.setBefore()
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		rung.Windows, rung.FellOver, rung.Reason = nil, nil, ""
		groups := map[windowKey][]*Sample{}
		var order []windowKey // of the first sample of each
		for j := range r.Samples {
			s := &r.Samples[j]
			if s.Rung != rung.Name {
				continue
			}
			key := windowKey{s.Kind, s.Traffic, s.Endpoint, s.Offered}
			if groups[key] == nil {
				order = append(order, key)
			}
			groups[key] = append(groups[key], s)
		}
		for _, key := range order {
			rung.Windows = append(rung.Windows, summarize(key, groups[key]))
		}
		r.addFalls(rung)
	}
}

func summarize(key windowKey, samples []*Sample) Window {
	values := func(of func(*Sample) float64) Spread {
		all := make([]float64, len(samples))
		for i, s := range samples {
			all[i] = of(s)
		}
		return spreadOf(all)
	}
	w := Window{
		Kind: key.kind, Traffic: key.traffic, Endpoint: key.endpoint, Offered: key.offered,
		Rate:   values(func(s *Sample) float64 { return s.Rate }),
		Errors: values(func(s *Sample) float64 { return s.Errors }),
		P50:    values(func(s *Sample) float64 { return s.P50 }),
		P99:    values(func(s *Sample) float64 { return s.P99 }),
		Load:   values(func(s *Sample) float64 { return s.Load }),
		Total: values(func(s *Sample) float64 {
			total := 0.0
			for _, used := range s.CPU {
				total += used
			}
			return total
		}),
	}
	for _, s := range samples {
		for role := range s.CPU {
			if w.CPU == nil {
				w.CPU = map[string]Spread{}
			}
			w.CPU[role] = values(func(s *Sample) float64 { return s.CPU[role] })
		}
	}
	return w
}

// addFalls sets FellOver and Reason. Steps end with the first fall, so that each round has at most one.
func (r *Report) addFalls(rung *Rung) {
	for round := 1; round <= r.Rounds; round++ {
		climbed, fellAt := false, 0.0
		for j := range r.Samples {
			s := &r.Samples[j]
			if s.Rung != rung.Name || s.Round != round || s.Kind != Step || s.Endpoint != All {
				continue
			}
			climbed = true
			if reason, fell := s.Fell(); fell && fellAt == 0 {
				fellAt = s.Offered
				if rung.Reason == "" {
					rung.Reason = reason
				}
			}
		}
		if climbed {
			rung.FellOver = append(rung.FellOver, fellAt)
		}
	}
}
