//! `clawvoice ports`: what a firewall must let through. Nothing listens to the outside.

use serde_json::json;

use crate::{
    cli::PortsArgs,
    printer::{self, Failure},
};

struct Port {
    direction: &'static str,
    protocol: &'static str,
    ports: &'static str,
    purpose: &'static str,
}

/// Sources: Discord, "Voice Connections"; the providers' documentation of their endpoints.
const PORTS: &[Port] = &[
    Port {
        direction: "out",
        protocol: "tcp",
        ports: "443",
        purpose: "Discord (gateway.discord.gg, discord.com), the speech provider, the models",
    },
    Port {
        direction: "out",
        protocol: "tcp",
        ports: "443, or as it names",
        purpose: "Discord's voice gateways (*.discord.media); the main gateway names the port",
    },
    Port {
        direction: "out",
        protocol: "udp",
        ports: "50000 to 65535",
        purpose: "voice; answers come back to the port it was sent from",
    },
    Port {
        direction: "loopback",
        protocol: "tcp",
        ports: "18790",
        purpose: "health, metrics, dashboard",
    },
    Port {
        direction: "loopback",
        protocol: "tcp",
        ports: "any that is free",
        purpose: "the built-in speech provider, if `local` is chosen",
    },
];

/// Runs the command.
pub(crate) fn run(args: &PortsArgs) -> Result<(), Failure> {
    if args.json {
        let ports: Vec<_> = PORTS
            .iter()
            .map(|port| {
                json!({
                    "direction": port.direction, "protocol": port.protocol,
                    "ports": port.ports, "purpose": port.purpose,
                })
            })
            .collect();
        printer::result(format_args!("{:#}", json!({ "ports": ports })));
        return Ok(());
    }
    for Port { direction, protocol, ports, purpose } in PORTS {
        printer::result(format_args!("{direction:<9} {protocol:<4} {ports:<24} {purpose}"));
    }
    Ok(())
}
