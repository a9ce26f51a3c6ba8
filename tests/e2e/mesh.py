"""Makes of Istio resources what istiod makes of them, as far as ours need it: a bootstrap for one proxy.

The listener is Istio's in what matters here: small buffers, a few filters before the router, a route configuration named
as Istio names it. Patches are applied as istiod does it (pilot/pkg/networking/core/envoyfilter): MERGE is protobuf's,
that is messages are merged, lists appended to, everything else replaced.
"""

HCM = "envoy.filters.network.http_connection_manager"
TYPE = "type.googleapis.com/envoy.extensions.filters"


def bootstrap(resources: list, labels: dict, port: int, admin_port: int) -> dict:
    """The bootstrap of a proxy with these labels; it listens on the one port that the resources open."""
    of_kind = lambda kind: [resource for resource in resources if resource["kind"] == kind]  # noqa: E731
    gateway = of_kind("Gateway")
    context = "GATEWAY" if gateway else "SIDECAR_OUTBOUND"
    number = gateway[0]["spec"]["servers"][0]["port"]["number"] if gateway else of_kind("Service")[0]["spec"]["ports"][0]["port"]
    if gateway:
        assert gateway[0]["spec"]["selector"].items() <= labels.items(), "the Gateway selects another proxy"
        response = of_kind("VirtualService")[0]["spec"]["http"][0]["directResponse"]
        direct = {"status": response["status"], "body": {"inline_string": response["body"]["string"]}}
        route, domains = {"name": "not-applied", "match": {"prefix": "/"}, "direct_response": direct}, ["*"]
    else:
        cluster = f"outbound|{number}||crosspoint.{of_kind('Service')[0]['metadata']['namespace']}.svc.cluster.local"
        route, domains = {"name": "default", "match": {"prefix": "/"}, "route": {"cluster": cluster}}, ["*"]
    routes = {
        "name": f"http.{number}" if gateway else str(number),
        "validate_clusters": False,
        "virtual_hosts": [{"name": f"*:{number}", "domains": domains, "routes": [route]}],
    }
    clusters = [cluster for entry in of_kind("ServiceEntry") for cluster in clusters_of(entry, of_kind("DestinationRule"))]
    tree = {
        "admin": {"address": address("127.0.0.1", admin_port)},
        "static_resources": {"listeners": [listener(number, routes, bool(gateway))], "clusters": clusters},
    }
    for resource in of_kind("EnvoyFilter"):
        selector = resource["spec"]["workloadSelector"]["labels"]
        assert selector.items() <= labels.items(), "the EnvoyFilter selects another proxy"
        for patch in resource["spec"]["configPatches"]:
            applied = apply(tree, patch, context, number)
            assert applied, f"a patch applies to nothing: {patch['applyTo']} {patch.get('match')}"
    for one in tree["static_resources"]["listeners"]:
        one["address"] = address("127.0.0.1", port)
    return tree


def address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}


def listener(number, routes, gateway):
    manager = {
        "@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"outbound_0.0.0.0_{number}",
        "use_remote_address": gateway,
        "normalize_path": True,
        "stream_idle_timeout": "0s",
        "route_config": routes,
        "http_filters": [
            {"name": "envoy.filters.http.cors", "typed_config": {"@type": f"{TYPE}.http.cors.v3.Cors"}},
            {"name": "envoy.filters.http.fault", "typed_config": {"@type": f"{TYPE}.http.fault.v3.HTTPFault"}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"}},
        ],
    }
    return {
        "name": f"0.0.0.0_{number}",
        "address": address("0.0.0.0", number),
        "per_connection_buffer_limit_bytes": 32768,
        "filter_chains": [{"filters": [{"name": HCM, "typed_config": manager}]}],
    }


def clusters_of(entry, rules):
    (host,), endpoints = entry["spec"]["hosts"], entry["spec"]["endpoints"]
    assert entry["spec"]["resolution"] == "DNS"
    (rule,) = [rule for rule in rules if rule["spec"]["host"] == host]
    pool, tls = rule["spec"]["trafficPolicy"]["connectionPool"], rule["spec"]["trafficPolicy"]["tls"]
    for port in entry["spec"]["ports"]:
        name = f"outbound|{port['number']}||{host}"
        hosts = [{"endpoint": {"address": address(end["address"], end["ports"][port["name"]])}} for end in endpoints]
        cluster = {
            "name": name,
            "type": "STRICT_DNS",
            "dns_lookup_family": "V4_ONLY",
            "connect_timeout": pool["tcp"]["connectTimeout"],
            "load_assignment": {"cluster_name": name, "endpoints": [{"locality": {}, "lb_endpoints": hosts}]},
            "circuit_breakers": {"thresholds": [{
                "max_connections": pool["tcp"]["maxConnections"],
                "max_pending_requests": pool["http"]["http1MaxPendingRequests"],
                "max_requests": pool["http"]["http2MaxRequests"],
                "max_retries": pool["http"]["maxRetries"],
            }]},
        }
        if tls["mode"] == "SIMPLE":
            names = [{"san_type": "DNS", "matcher": {"exact": name}} for name in tls["subjectAltNames"]]
            cluster["transport_socket"] = {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": tls.get("sni"),
                    "common_tls_context": {"validation_context": {
                        "trusted_ca": {"filename": tls["caCertificates"]}, "match_typed_subject_alt_names": names,
                    }},
                },
            }
        yield cluster


def apply(tree, patch, context, number) -> bool:
    """Applies one patch, and says whether it found what it is for."""
    match, operation, value = patch.get("match", {}), patch["patch"]["operation"], patch["patch"]["value"]
    resources, where = tree["static_resources"], patch["applyTo"]
    if match.get("context", "ANY") not in ("ANY", context):
        return False
    if where == "BOOTSTRAP":
        merge(tree, value)
        return True
    if where == "CLUSTER":
        found = [one for one in resources["clusters"] if one["name"].endswith("||" + match["cluster"]["service"])]
        for cluster in found:
            merge(cluster, value)
        return bool(found)
    wanted = match.get("listener") or match["routeConfiguration"]
    if wanted["portNumber"] != number:
        return False
    (one,) = resources["listeners"]
    if where == "LISTENER":
        merge(one, value)
        return True
    (network,) = one["filter_chains"][0]["filters"]
    filters = network["typed_config"]["http_filters"]
    if where == "HTTP_ROUTE":
        assert operation == "INSERT_FIRST" and "vhost" not in wanted
        for virtual_host in network["typed_config"]["route_config"]["virtual_hosts"]:
            virtual_host["routes"].insert(0, value)
        return True
    named = wanted["filterChain"]["filter"]
    if named["name"] != network["name"]:
        return False
    if where == "NETWORK_FILTER":
        merge(network, value)
        return True
    assert where == "HTTP_FILTER", where
    at = [one["name"] for one in filters].index(named["subFilter"]["name"])
    if operation == "INSERT_BEFORE":
        filters.insert(at, value)
    else:
        assert operation == "MERGE", operation
        merge(filters[at], value)
    return True


def merge(into: dict, value: dict):
    for key, new in value.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            assert old.get("@type") == new.get("@type"), "messages of different types do not merge"
            merge(old, new)
        elif isinstance(old, list) and isinstance(new, list):
            old.extend(new)
        else:
            into[key] = new
