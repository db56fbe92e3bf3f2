fetch forward 20000 from :"cursor"
