"""What goes over the wire: targets, headers, Kinds, operations and error shapes. Pure rules, no sockets."""
