"""One pack in this process: what its runs need, the module that trains, and the folders it leaves."""
