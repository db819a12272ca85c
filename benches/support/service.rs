//! Services beside ours on a private systemd, and nginx before a group.

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rollctl::lab::Lab;

use crate::real::Program;

pub(crate) const NGINX_UNIT: &str = "nginx.service";

const NGINX: &str = "
pid DIR/nginx.pid; worker_processes auto;
events { worker_connections 4096; }
http {
    access_log off; keepalive_requests 100000000;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    SITE
}
";

/// Starts nginx with this site, which listens at `front`.
pub(crate) fn start_nginx(lab: &Lab, front: &str, site: &str) -> Result<Program, Box<dyn Error>> {
    let nginx = Program::find("nginx")?;
    let dir = lab.dir().to_string_lossy();
    let path = lab.dir().join("nginx.conf");
    fs::write(&path, NGINX.replace("DIR", &dir).replace("SITE", site))?;
    let service = nginx.service(&format!("-e stderr -c {} -g 'daemon off;'", path.display()));
    start(lab, NGINX_UNIT, &service, front)?;
    Ok(nginx)
}

/// Starts a service, which is up when it listens there.
pub(crate) fn start(
    lab: &Lab,
    unit: &str,
    text: &str,
    address: &str,
) -> Result<(), Box<dyn Error>> {
    lab.install(unit, text)?;
    lab.reload()?;
    lab.systemctl(["start", unit])?;
    until_listening(address).map_err(|error| format!("{error}: {}", lab.log(unit)).into())
}

pub(crate) fn until_listening(address: &str) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > until {
            return Err(format!("nobody listens at {address}").into());
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}
