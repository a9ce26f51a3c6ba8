//! Routing in a simulation: scripted endpoints, two workers, a virtual clock, no Envoy. `choose` and the health records are
//! the real ones. Beside them run three naive policies, which fail over alike but know nothing of health.
//!
//! `cargo test --test routing -- --nocapture --test-threads 1` prints the table.

#[cfg(test)]
#[path = "routing/simulation.rs"]
mod simulation;

#[cfg(test)]
mod scenarios {
    use crate::simulation::{Endpoint, Policy, Report, Scenario, endpoint, run};

    const SECOND: u64 = 1_000;

    /// Runs all policies, prints a line for each, and gives what came of ours.
    fn compare(name: &str, scenario: &Scenario) -> Report {
        println!(
            "\n{name}\n  {:<16}{:>9}{:>10}{:>10}{:>10}{:>12}{:>11}",
            "policy", "errors", "attempts", "p50 ms", "p99 ms", "USD/M", "switches"
        );
        let policies = [
            Policy::RoundRobin,
            Policy::WeightedRandom,
            Policy::LowestPrice,
            Policy::Crosspoint,
        ];
        let reports = policies.map(|policy| {
            let report = run(scenario, policy);
            println!(
                "  {:<16}{:>8.3}%{:>10.3}{:>10}{:>10}{:>12.3}{:>10.2}%",
                policy.name(),
                report.error_rate() * 100.0,
                report.attempts_per_request(),
                report.first_token(50),
                report.first_token(99),
                report.mean_price(),
                report.switched() * 100.0,
            );
            report
        });
        let [.., ours] = reports;
        ours
    }

    fn priced(prices: &[f64]) -> Vec<Endpoint> {
        prices.iter().map(|price| endpoint(*price)).collect()
    }

    #[test]
    fn shares_follow_one_over_the_square_of_the_price() {
        let scenario = Scenario {
            endpoints: priced(&[1.0, 2.0, 3.0]),
            requests: 100_000,
            per_second: 200,
            sessions: 0,
        };
        let report = compare("shares of 1, 2 and 3 USD, 100,000 requests", &scenario);
        let total = 1.0 + 1.0 / 4.0 + 1.0 / 9.0;
        for (at, weight) in [1.0, 1.0 / 4.0, 1.0 / 9.0].into_iter().enumerate() {
            let (share, expected) = (report.share(at), weight / total);
            println!("  share {at}: {share:.4}, expected {expected:.4}");
            assert!(
                (share / expected - 1.0).abs() < 0.02,
                "{at}: {share} for {expected}"
            );
        }
    }

    #[test]
    fn what_dies_is_left_and_what_recovers_is_asked_again() {
        let (dies, recovers) = (60 * SECOND, 180 * SECOND);
        let mut endpoints = priced(&[1.0, 2.0, 3.0]);
        endpoints[0].down = Some((dies, recovers));
        let scenario = Scenario {
            endpoints,
            requests: 30_000,
            per_second: 100,
            sessions: 0,
        };
        let report = compare("the cheapest of three dies for two minutes, 100/s", &scenario);
        let usual = report.attempts_on(0, 10 * SECOND, dies) / 50.0;
        let within = report.attempts_on(0, dies, dies + 2 * SECOND);
        let after = report.attempts_on(0, dies + 2 * SECOND, recovers) / 118.0;
        println!(
            "  attempts on it: {usual:.1}/s before, {within} in the two seconds after, {after:.2}/s then"
        );
        assert!(after < usual * 0.05, "{after} of {usual}");
        let back = (recovers / SECOND..290).find(|second| {
            let from = second * SECOND;
            report.attempts_on(0, from, from + 5 * SECOND) / 5.0 >= usual * 0.9
        });
        let seconds = back.unwrap() - recovers / SECOND;
        let most = (recovers / SECOND..290)
            .map(|second| report.attempts_on(0, second * SECOND, (second + 1) * SECOND))
            .fold(0.0, f64::max);
        println!("  back to its share {seconds} s after its recovery; at most {most} in one second");
        assert!(seconds < 60, "{seconds} s");
        assert!(most < usual * 1.35, "{most} in a second, usually {usual}");
        assert!(report.error_rate() < 0.0001);
    }

    /// The cheapest of three, with most of the traffic, falls silent for three minutes.
    fn falls_silent(name: &str, headless: bool) {
        let (from, to) = (120 * SECOND, 300 * SECOND);
        let mut endpoints = priced(&[1.0, 2.0, 3.0]);
        endpoints[0].silent = Some((from, to));
        endpoints[0].headless = headless;
        if headless {
            // Somebody whose deadline is a longer one, so that the silent one is left later than at its own.
            endpoints[2].first_token_ms = 3_000;
        }
        let scenario = Scenario {
            endpoints,
            requests: 40_000,
            per_second: 100,
            sessions: 0,
        };
        let report = compare(name, &scenario);
        let usual = report.attempts_on(0, 10 * SECOND, from) / 110.0;
        // The deadline by its latency is the least there is, 5 s; then comes a tick.
        let known = from + 6 * SECOND;
        let within = report.attempts_on(0, from, known);
        let after = report.attempts_on(0, known, to) / ((to - known) / SECOND) as f64;
        let most = report.missed.values().max().unwrap();
        println!(
            "  attempts on it: {usual:.1}/s before, {within} in the six seconds after, {after:.2}/s then; {} requests met a deadline, each at most {most} times",
            report.missed.len()
        );
        assert!(after < usual * 0.05, "{after} of {usual}");
        assert_eq!(*most, 1);
        assert!(report.error_rate() < 0.0001, "{}", report.error_rate());
        let back = (to / SECOND..390).find(|second| {
            let from = second * SECOND;
            report.attempts_on(0, from, from + 5 * SECOND) / 5.0 >= usual * 0.9
        });
        let seconds = back.unwrap() - to / SECOND;
        println!("  back to its share {seconds} s after its recovery");
        assert!(seconds < 60, "{seconds} s");
    }

    #[test]
    fn what_falls_silent_is_left_at_its_deadline() {
        falls_silent(
            "the cheapest of three sends headers and falls silent, 100/s",
            false,
        );
    }

    #[test]
    fn what_falls_silent_without_headers_is_left_too() {
        falls_silent("the cheapest of three falls silent without headers, 100/s", true);
    }

    #[test]
    fn nobody_notices_that_one_of_three_is_down() {
        let mut endpoints = priced(&[1.0, 1.0, 1.0]);
        endpoints[1].down = Some((10 * SECOND, u64::MAX));
        let scenario = Scenario {
            endpoints,
            requests: 100_000,
            per_second: 500,
            sessions: 0,
        };
        let report = compare("one of three is down, 500/s", &scenario);
        assert!(report.error_rate() < 0.0001, "{}", report.error_rate());
        assert!(
            report.attempts_per_request() < 1.01,
            "{}",
            report.attempts_per_request()
        );
    }

    #[test]
    fn failures_by_chance_are_got_over() {
        let mut endpoints = priced(&[1.0, 1.0, 1.0]);
        for endpoint in &mut endpoints {
            endpoint.fails = 0.2;
        }
        let scenario = Scenario {
            endpoints,
            requests: 50_000,
            per_second: 100,
            sessions: 0,
        };
        let report = compare("each of three fails one time in five", &scenario);
        assert!(report.error_rate() <= 0.01, "{}", report.error_rate());
    }

    #[test]
    fn one_slow_endpoint_is_not_felt() {
        let mut scenario = Scenario {
            endpoints: priced(&[1.0, 1.0, 1.0]),
            requests: 50_000,
            per_second: 50,
            sessions: 0,
        };
        let healthy = compare("three alike", &scenario);
        scenario.endpoints[0].first_token_ms *= 10;
        let report = compare("one of them takes ten times as long", &scenario);
        let (slow, usual) = (report.first_token(99) as f64, healthy.first_token(99) as f64);
        println!("  p99 of the first token: {:.2} times the usual", slow / usual);
        assert!(slow <= usual * 1.3, "{slow} ms for {usual} ms");
    }

    #[test]
    fn who_asks_for_less_gets_less() {
        let mut endpoints = priced(&[1.0, 2.0, 2.0]);
        endpoints[0].most_per_second = Some(20);
        let scenario = Scenario {
            endpoints,
            requests: 30_000,
            per_second: 100,
            sessions: 0,
        };
        let report = compare(
            "the cheapest takes 20/s of 100/s and says Retry-After: 1",
            &scenario,
        );
        assert!(report.error_rate() < 0.0001, "{}", report.error_rate());
        assert!(
            report.attempts_per_request() < 1.2,
            "{}",
            report.attempts_per_request()
        );
    }

    #[test]
    fn sessions_stay_where_their_prompt_is_cached() {
        let mut endpoints = priced(&[1.0, 1.0, 1.5]);
        for endpoint in &mut endpoints {
            endpoint.caches = true;
        }
        let mut scenario = Scenario {
            endpoints,
            requests: 50_000,
            per_second: 100,
            sessions: 500,
        };
        let report = compare("500 sessions at three that cache", &scenario);
        assert!(report.switched() <= 0.01, "{}", report.switched());
        scenario.endpoints[0].down = Some((100 * SECOND, 200 * SECOND));
        let report = compare("the same, one of them down for 100 of 500 s", &scenario);
        let elsewhere = report.switched_of(|home| home != 0);
        println!("  of sessions at home elsewhere: {:.3} %", elsewhere * 100.0);
        assert!(elsewhere <= 0.01, "{elsewhere}");
        assert!(report.error_rate() < 0.0001);
    }
}
