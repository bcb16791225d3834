"""The card operating system: EEPROM, journal, files, domains, firewall, kernel (cos)."""
