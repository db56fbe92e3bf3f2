listen :"channel"
